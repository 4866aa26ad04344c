/* loop/dns_local.c - literals, localhost, /etc/hosts */
#include "loop/dns_local.h"

#include "base/own.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define FILE_MAX      ((size_t)1024 * 1024)
#define LITERAL_TTL   ((int64_t)24 * 3600 * 1000)
#define HOSTS_TTL     ((int64_t)30 * 1000) /* the file may be edited at any time */
#define NAME_MAX_SIZE 253                  /* RFC 1035, section 3.1, as text */

bool dns_file_changed(struct dns_file *file)
{
	struct stat now = {0};
	bool same;

	if (stat(file->path, &now) < 0)
		now = (struct stat){0};
	same = now.st_ino == file->seen.st_ino && now.st_size == file->seen.st_size &&
	       now.st_mtim.tv_sec == file->seen.st_mtim.tv_sec &&
	       now.st_mtim.tv_nsec == file->seen.st_mtim.tv_nsec;
	file->seen = now;
	return !same;
}

void dns_file_read(struct dns_file *file)
{
	AUTO(auto_close) int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t size = file->seen.st_size < 0 ? 0 : (size_t)file->seen.st_size;
	ssize_t count = 1;

	free(file->text);
	file->text = NULL;
	file->len = 0;
	if (fd < 0 || size == 0)
		return;
	size = size < FILE_MAX ? size : FILE_MAX;
	file->text = xmalloc(size);
	while (count > 0 && file->len < size) {
		count = read(fd, file->text + file->len, size - file->len);
		file->len += count > 0 ? (size_t)count : 0;
	}
}

bool dns_name_valid(struct str_view name)
{
	if (name.len == 0 || name.len > NAME_MAX_SIZE)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.data[i];

		if (!ascii_is_alnum(c) && c != '-' && c != '_' && c != '.')
			return false;
	}
	return true;
}

void dns_answer_add(struct dns_answer *answer, const struct sock_addr *addr)
{
	if (answer->count < DNS_ADDRS_MAX)
		answer->addrs[answer->count++] = *addr;
}

static void add_literal(struct dns_answer *answer, struct str_view text)
{
	struct sock_addr addr;

	if (sock_addr_ip(&addr, text, 0))
		dns_answer_add(answer, &addr);
}

/* RFC 6761, section 6.3 */
static bool is_localhost(struct str_view name)
{
	struct str_view end = SV("localhost");

	if (name.len < end.len || !sv_eq_nocase(sv_skip(name, name.len - end.len), end))
		return false;
	return name.len == end.len || name.data[name.len - end.len - 1] == '.';
}

/* The next word of a line, its end in *line; empty: there is none. */
static struct str_view next_word(struct str_view *line)
{
	size_t end = 0;
	struct str_view word;

	*line = sv_trim(*line);
	while (end < line->len && line->data[end] != ' ' && line->data[end] != '\t')
		end++;
	word = sv_head(*line, end);
	*line = sv_skip(*line, end);
	return word;
}

static void look_in_hosts(struct str_view hosts, struct str_view name, struct dns_answer *answer)
{
	while (hosts.data != NULL) {
		struct str_view line = sv_split(&hosts, '\n');
		struct str_view text = sv_split(&line, '#'), address, word;

		if (sv_ends(text, SV("\r")))
			text.len--;
		address = next_word(&text);
		while ((word = next_word(&text)).len > 0) {
			if (sv_eq_nocase(word, name)) {
				add_literal(answer, address);
				break;
			}
		}
	}
}

bool dns_local_answer(struct str_view name, struct str_view hosts, struct dns_answer *answer)
{
	answer->count = 0;
	answer->status = DNS_OK;
	answer->a_failed = answer->aaaa_failed = false;
	answer->ttl_ms = LITERAL_TTL;
	add_literal(answer, name);
	if (answer->count > 0)
		return true;
	if (is_localhost(name)) {
		add_literal(answer, SV("127.0.0.1"));
		add_literal(answer, SV("::1"));
		return true;
	}
	answer->ttl_ms = HOSTS_TTL;
	look_in_hosts(hosts, name, answer);
	return answer->count > 0;
}
