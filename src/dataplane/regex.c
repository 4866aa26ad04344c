#include "dataplane/regex.h"

#include "base/own.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

struct regex {
	pcre2_code *code;
	pcre2_match_context *limits;
};

struct regex *regex_new(struct str_view pattern, struct err *err)
{
	int error;
	PCRE2_SIZE offset;
	pcre2_code *code =
		pcre2_compile((PCRE2_SPTR)(pattern.len > 0 ? pattern.data : ""), pattern.len,
			      PCRE2_ANCHORED | PCRE2_ENDANCHORED, &error, &offset, NULL);
	struct regex *regex;

	if (code == NULL) {
		PCRE2_UCHAR text[160] = "";

		(void)pcre2_get_error_message(error, text, sizeof(text));
		err_set(err, ERR_INVALID, "regular expression '%.*s': %s at offset %zu",
			SV_ARG(sv_head(pattern, 200)), (const char *)text, offset);
		return NULL;
	}
	/* Where memory protection forbids the JIT, the interpreter serves. */
	(void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
	regex = xcalloc(1, sizeof(*regex));
	regex->code = code;
	regex->limits = pcre2_match_context_create(NULL);
	if (regex->limits != NULL) {
		(void)pcre2_set_match_limit(regex->limits, REGEX_STEPS_MAX);
		(void)pcre2_set_depth_limit(regex->limits, REGEX_DEPTH_MAX);
	}
	return regex;
}

void regex_free(struct regex *regex)
{
	if (regex == NULL)
		return;
	pcre2_match_context_free(regex->limits);
	pcre2_code_free(regex->code);
	free(regex);
}

bool regex_matches(const struct regex *regex, struct str_view value)
{
	pcre2_match_data *data = pcre2_match_data_create(1, NULL);
	int found = -1;

	if (data != NULL && regex->limits != NULL)
		found = pcre2_match(regex->code, (PCRE2_SPTR)(value.len > 0 ? value.data : ""),
				    value.len, 0, 0, data, regex->limits);
	pcre2_match_data_free(data);
	return found >= 0;
}
