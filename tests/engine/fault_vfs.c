/* tests/engine/fault_vfs.c - SQLite's files with a disk that fails when told to */
#include "fault_vfs.h"

#include <errno.h>
#include <sqlite3.h>
#include <stddef.h>

struct fault_file {
	sqlite3_file base;
	sqlite3_file *real; /* right behind this struct */
};

static struct {
	sqlite3_vfs *real;
	unsigned countdown; /* 0: not armed */
	bool lasting, failed, no_shm;
	int code;
} fault;

void fault_arm(enum fault_kind kind, unsigned after, bool lasting)
{
	fault.code = kind == FAULT_FULL ? SQLITE_FULL : SQLITE_IOERR;
	fault.countdown = after;
	fault.lasting = lasting;
	fault.failed = false;
}

void fault_no_shm(bool on)
{
	fault.no_shm = on;
}

bool fault_disarm(void)
{
	fault.countdown = 0;
	return fault.failed;
}

static bool fails_now(void)
{
	if (fault.countdown == 0 || (fault.countdown > 1 && --fault.countdown > 0))
		return false;
	fault.countdown = fault.lasting ? 1 : 0;
	fault.failed = true;
	return true;
}

static sqlite3_file *real_of(sqlite3_file *file)
{
	return ((struct fault_file *)(void *)file)->real;
}

static int f_close(sqlite3_file *file)
{
	return real_of(file)->pMethods->xClose(real_of(file));
}

static int f_read(sqlite3_file *file, void *into, int count, sqlite3_int64 at)
{
	return real_of(file)->pMethods->xRead(real_of(file), into, count, at);
}

static int f_write(sqlite3_file *file, const void *from, int count, sqlite3_int64 at)
{
	if (fails_now())
		return fault.code;
	return real_of(file)->pMethods->xWrite(real_of(file), from, count, at);
}

static int f_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int f_sync(sqlite3_file *file, int flags)
{
	if (fails_now())
		return SQLITE_IOERR_FSYNC;
	return real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int f_size(sqlite3_file *file, sqlite3_int64 *size)
{
	return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int f_lock(sqlite3_file *file, int level)
{
	return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int f_unlock(sqlite3_file *file, int level)
{
	return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int f_check_lock(sqlite3_file *file, int *out)
{
	return real_of(file)->pMethods->xCheckReservedLock(real_of(file), out);
}

static int f_control(sqlite3_file *file, int op, void *arg)
{
	return real_of(file)->pMethods->xFileControl(real_of(file), op, arg);
}

static int f_sector(sqlite3_file *file)
{
	return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int f_traits(sqlite3_file *file)
{
	return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int f_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **out)
{
	if (fault.no_shm) {
		errno = ENOSPC; /* what xGetLastError tells */
		return SQLITE_IOERR_SHMSIZE;
	}
	return real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, out);
}

static int f_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
	return real_of(file)->pMethods->xShmLock(real_of(file), offset, n, flags);
}

static void f_shm_barrier(sqlite3_file *file)
{
	real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int f_shm_unmap(sqlite3_file *file, int remove)
{
	return real_of(file)->pMethods->xShmUnmap(real_of(file), remove);
}

static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = f_close,
	.xRead = f_read,
	.xWrite = f_write,
	.xTruncate = f_truncate,
	.xSync = f_sync,
	.xFileSize = f_size,
	.xLock = f_lock,
	.xUnlock = f_unlock,
	.xCheckReservedLock = f_check_lock,
	.xFileControl = f_control,
	.xSectorSize = f_sector,
	.xDeviceCharacteristics = f_traits,
	.xShmMap = f_shm_map,
	.xShmLock = f_shm_lock,
	.xShmBarrier = f_shm_barrier,
	.xShmUnmap = f_shm_unmap,
};

static int v_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
	struct fault_file *ours = (struct fault_file *)(void *)file;
	int rc;

	(void)vfs;
	ours->real = (sqlite3_file *)(void *)(ours + 1);
	rc = fault.real->xOpen(fault.real, name, ours->real, flags, out);
	ours->base.pMethods = ours->real->pMethods == NULL ? NULL : &methods;
	return rc;
}

void fault_install(void)
{
	static sqlite3_vfs vfs;

	fault.real = sqlite3_vfs_find(NULL);
	vfs = *fault.real; /* whatever is not a file works as it does there */
	vfs.zName = "fault";
	vfs.pNext = NULL;
	vfs.szOsFile += (int)sizeof(struct fault_file);
	vfs.xOpen = v_open;
	sqlite3_vfs_register(&vfs, 1);
}
