#include "pebble.h"

#include "../unit/port.h"
#include "base/clock.h"
#include "base/enc.h"
#include "base/own.h"
#include "loop/sock.h"
#include "pki/x509.h"

#include <fcntl.h>
#include <openssl/pem.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY_MS 20000

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "pebble: %s\n", what);
	abort();
}

static const char *program(void)
{
	static const char *const places[] = {"/usr/bin/pebble", "/usr/local/bin/pebble"};

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		if (access(places[i], X_OK) == 0)
			return places[i];
	}
	return NULL;
}

bool pebble_installed(void)
{
	return program() != NULL;
}

static void write_file(const struct pebble *pebble, const char *name, struct str_view text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", pebble->dir, name);
	file = fopen(path, "w");
	must(file != NULL && fwrite(text.data, 1, text.len, file) == text.len, path);
	fclose(file);
}

/* A certificate for 127.0.0.1 that is its own issuer. */
static void make_certificate(struct pebble *pebble)
{
	static const struct str_view address = SV_INIT("127.0.0.1");
	struct cert_names names = {.ips = &address, .ip_count = 1, .common_name = SV("Pebble")};
	struct x509_sign_how how = {.not_before = clock_wall() - 3600,
				    .not_after = clock_wall() + 86400,
				    .usages.purposes = X509_USAGE_SERVER};
	AUTO(auto_key) EVP_PKEY *key = key_make(KEY_ECDSA_P256, NULL);
	struct buf csr, pem;
	BIO *bio = BIO_new(BIO_s_mem());
	X509 *cert;
	int len;

	buf_init(&csr, 65536);
	buf_init(&pem, 65536);
	must(csr_make(key, &names, &csr, NULL) == 0, "no request");
	how.issuer_key = key;
	cert = cert_sign(buf_view(&csr), &how, NULL);
	must(cert != NULL && PEM_write_bio_X509(bio, cert) == 1, "no certificate");
	len = BIO_read(bio, pebble->ca, sizeof(pebble->ca) - 1);
	pebble->ca[len > 0 ? len : 0] = '\0';
	write_file(pebble, "tls.pem", sv_from(pebble->ca));
	must(key_to_pem(key, KEY_PKCS8, &pem, NULL) == 0, "no key");
	write_file(pebble, "tls.key", buf_view(&pem));
	X509_free(cert);
	BIO_free(bio);
	buf_deinit(&csr);
	buf_deinit(&pem);
}

static void write_settings(const struct pebble *pebble)
{
	struct buf text, mac;

	buf_init(&text, 4096);
	buf_init(&mac, 256);
	enc_base64url(&mac, SV(PEBBLE_EAB_MAC));
	buf_addf(&text,
		 "{\"pebble\":{\"listenAddress\":\"127.0.0.1:%u\","
		 "\"managementListenAddress\":\"127.0.0.1:%u\",\"certificate\":\"%s/tls.pem\","
		 "\"privateKey\":\"%s/tls.key\",\"httpPort\":5002,\"tlsPort\":5001,"
		 "\"externalAccountBindingRequired\":%s,\"externalAccountMACKeys\":{\"%s\":\"%s\"}}"
		 "}",
		 pebble->port, pebble->management_port, pebble->dir, pebble->dir,
		 pebble->needs_eab ? "true" : "false", PEBBLE_EAB_KID, buf_cstr(&mac));
	write_file(pebble, "pebble.json", buf_view(&text));
	buf_deinit(&text);
	buf_deinit(&mac);
}

static void run_program(const struct pebble *pebble)
{
	char log[128], settings[128];
	int fd;

	snprintf(log, sizeof(log), "%s/log", pebble->dir);
	snprintf(settings, sizeof(settings), "%s/pebble.json", pebble->dir);
	fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	dup2(fd, 1);
	dup2(fd, 2);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setenv("PEBBLE_VA_ALWAYS_VALID", "1", 1);
	setenv("PEBBLE_VA_NOSLEEP", "1", 1);
	setenv("PEBBLE_AUTHZREUSE", "0", 1);
	setenv("PEBBLE_WFE_NONCEREJECT", pebble->nonce_reject ? pebble->nonce_reject : "0", 1);
	setenv("PEBBLE_ALTERNATE_ROOTS", pebble->alternate_roots ? pebble->alternate_roots : "0",
	       1);
	setenv("PEBBLE_CHAIN_LENGTH", pebble->chain_length ? pebble->chain_length : "1", 1);
	execl(program(), "pebble", "-config", settings, (char *)NULL);
	_exit(127);
}

static bool answers(uint16_t port)
{
	struct sock_addr addr;
	struct pollfd poll_fd = {.events = POLLOUT};
	bool in_progress, good;

	must(sock_addr_ip(&addr, SV("127.0.0.1"), port), "no address");
	poll_fd.fd = sock_connect(&addr, &in_progress);
	if (poll_fd.fd < 0)
		return false;
	good = poll(&poll_fd, 1, 1000) == 1 && sock_error(poll_fd.fd) == 0;
	close(poll_fd.fd);
	return good;
}

static void launch(struct pebble *pebble)
{
	int64_t deadline = clock_mono_ms() + READY_MS;

	pebble->pid = fork();
	must(pebble->pid >= 0, "no process");
	if (pebble->pid == 0)
		run_program(pebble);
	while (!answers(pebble->port) || !answers(pebble->management_port)) {
		must(clock_mono_ms() < deadline, "it does not answer");
		must(waitpid(pebble->pid, NULL, WNOHANG) == 0, "it has ended");
		poll(NULL, 0, 10);
	}
}

void pebble_start(struct pebble *pebble)
{
	snprintf(pebble->dir, sizeof(pebble->dir), "/tmp/test-pebble.XXXXXX");
	must(mkdtemp(pebble->dir) != NULL, "no folder");
	pebble->port = port_claim();
	pebble->management_port = port_claim();
	snprintf(pebble->directory, sizeof(pebble->directory), "https://127.0.0.1:%u/dir",
		 pebble->port);
	snprintf(pebble->management, sizeof(pebble->management), "https://127.0.0.1:%u",
		 pebble->management_port);
	make_certificate(pebble);
	write_settings(pebble);
	launch(pebble);
}

static void end_process(struct pebble *pebble)
{
	kill(pebble->pid, SIGKILL);
	waitpid(pebble->pid, NULL, 0);
}

void pebble_restart(struct pebble *pebble)
{
	end_process(pebble);
	launch(pebble);
}

void pebble_stop(struct pebble *pebble)
{
	static const char *const names[] = {"log", "pebble.json", "tls.pem", "tls.key"};
	char path[128];

	end_process(pebble);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", pebble->dir, names[i]);
		unlink(path);
	}
	rmdir(pebble->dir);
}

unsigned pebble_requests(const struct pebble *pebble)
{
	char path[128], line[1024];
	unsigned count = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/log", pebble->dir);
	file = fopen(path, "r");
	must(file != NULL, path);
	while (fgets(line, sizeof(line), file) != NULL)
		count += strstr(line, " -> calling handler()") != NULL;
	fclose(file);
	return count;
}
