/* daemon/process_metrics.c - what Prometheus shows of every process */
#include "config.h"

#include "daemon/process_metrics.h"

#include "base/metric.h"
#include "base/own.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static void tell(struct buf *out, const char *name, const char *type, const char *help,
		 double value)
{
	metric_head(out, name, type, help);
	metric_sample(out, name, "", value);
}

static void tell_memory(struct buf *out)
{
	double page = (double)sysconf(_SC_PAGESIZE);
	unsigned long all = 0, resident = 0;
	FILE *file = fopen("/proc/self/statm", "re");
	int read;

	if (file == NULL)
		return;
	read = fscanf(file, "%lu %lu", &all, &resident);
	(void)fclose(file);
	if (read != 2)
		return;
	tell(out, "process_virtual_memory_bytes", "gauge", "Address space in use.",
	     (double)all * page);
	tell(out, "process_resident_memory_bytes", "gauge", "Memory in use.",
	     (double)resident * page);
}

static double seconds_of(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static void tell_time(struct buf *out, int64_t started)
{
	struct rusage usage;

	tell(out, "process_start_time_seconds", "gauge", "When it started, since the epoch.",
	     (double)started);
	if (getrusage(RUSAGE_SELF, &usage) == 0)
		tell(out, "process_cpu_seconds_total", "counter", "Time of processors used.",
		     seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime));
}

static void tell_descriptors(struct buf *out)
{
	struct rlimit limit;
	DIR *dir = opendir("/proc/self/fd");
	double count = -3; /* ".", ".." and that of dir */

	if (dir != NULL) {
		while (readdir(dir) != NULL)
			count++;
		(void)closedir(dir);
		tell(out, "process_open_fds", "gauge", "Descriptors in use.", count);
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		tell(out, "process_max_fds", "gauge", "Descriptors it may have.",
		     (double)limit.rlim_cur);
}

void process_metrics(struct buf *out, int64_t started)
{
	metric_head(out, "sallyport_build_info", "gauge", "1, with the version of the daemon.");
	metric_sample(out, "sallyport_build_info", "version=\"" PACKAGE_VERSION "\"", 1);
	tell_time(out, started);
	tell_memory(out);
	tell_descriptors(out);
}
