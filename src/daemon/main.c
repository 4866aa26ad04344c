/* daemon/main.c - sallyportd(8) */
#include "config.h"

#include "base/log.h"
#include "daemon/manifests.h"
#include "daemon/options.h"
#include "daemon/sandbox.h"
#include "daemon/wire.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* A core file would hold private keys; what is created is nobody else's business. */
static void protect_process(void)
{
	(void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
	umask(077);
}

static int check(const struct options *options)
{
	if (options->file_count == 0) {
		options_print(options, stdout);
		return EXIT_DONE;
	}
	return manifests_check(options->files, options->file_count, stdout) == 0 ? EXIT_DONE
										 : EXIT_FAILED;
}

static int run(const struct options *options)
{
	struct err err = {.code = ERR_NONE};

	log_setup(options->log_level, options->log_format, STDERR_FILENO);
	protect_process();
	sandbox_enter();
	if (daemon_run(options, &err) == 0) {
		log_info("daemon", "stopped");
		return EXIT_DONE;
	}
	log_error("daemon", "%s", err.msg);
	return EXIT_FAILED;
}

int main(int argc, char **argv)
{
	struct options options;
	struct err err = {.code = ERR_NONE};
	int status = EXIT_DONE;

	if (options_read(&options, argc, argv, &err) < 0) {
		fprintf(stderr, "sallyportd: %s\n", err.msg);
		status = EXIT_USAGE;
	} else if (options.mode == MODE_HELP) {
		options_help(stdout);
	} else if (options.mode == MODE_VERSION) {
		printf("sallyportd %s\n", PACKAGE_VERSION);
	} else if (options.mode == MODE_CHECK) {
		status = check(&options);
	} else {
		status = run(&options);
	}
	options_deinit(&options);
	return status;
}
