/* tests/fuzz/fuzz_enc.c - what a decoder accepts, its encoder writes again */
#include "base/enc.h"
#include "fuzz.h"

#include <stdlib.h>

#define OUT_MAX 65536

struct codec {
	bool (*decode)(struct buf *out, struct str_view text);
	bool (*encode)(struct buf *out, struct str_view bytes);
	bool canonical; /* one text for each value */
};

static const struct codec codecs[] = {
	{dec_base64, enc_base64, false}, /* line ends are skipped */
	{dec_base64url, enc_base64url, true},
	{dec_percent, enc_percent, false},
};

static void check(const struct codec *codec, struct str_view text)
{
	struct buf bytes, again, back;

	buf_init(&bytes, OUT_MAX);
	buf_init(&again, 4 * OUT_MAX);
	buf_init(&back, OUT_MAX);
	if (codec->decode(&bytes, text)) {
		if (!codec->encode(&again, buf_view(&bytes)) ||
		    (codec->canonical && !sv_eq(buf_view(&again), text)) ||
		    !codec->decode(&back, buf_view(&again)) ||
		    !sv_eq(buf_view(&back), buf_view(&bytes)))
			abort();
	} else if (buf_len(&bytes) != 0) {
		abort(); /* a refused text left something behind */
	}
	buf_deinit(&bytes);
	buf_deinit(&again);
	buf_deinit(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++)
		check(&codecs[i], sv_new((const char *)data, size));
	return 0;
}
