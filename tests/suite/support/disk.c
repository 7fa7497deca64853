/* A disk that fails: preloaded into the program, it makes calls about files below a folder fail.
   DISK_FOLDER  part of the path of the files
   DISK_CALL    "write", "pwrite64" (as SQLite writes), "fsync" or "rename"
   DISK_ERROR   the number of the error
   DISK_ROOM    how many bytes of each file can be written before that */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int concerns(const char *path, const char *call)
{
    const char *folder = getenv("DISK_FOLDER"), *wanted = getenv("DISK_CALL");
    return folder && wanted && path && strcmp(wanted, call) == 0 && strstr(path, folder) != NULL;
}

static int file_concerns(int file, const char *call)
{
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return concerns(path, call);
}

static int error(void)
{
    errno = atoi(getenv("DISK_ERROR"));
    return -1;
}

ssize_t write(int file, const void *bytes, size_t count)
{
    ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
    if (!file_concerns(file, "write"))
        return real(file, bytes, count);
    const char *given = getenv("DISK_ROOM");
    off_t room = (given ? atol(given) : 0) - lseek(file, 0, SEEK_CUR);
    if (room <= 0)
        return error();
    return real(file, bytes, (off_t)count < room ? count : (size_t)room);
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t place)
{
    ssize_t (*real)(int, const void *, size_t, off64_t) = dlsym(RTLD_NEXT, "pwrite64");
    return file_concerns(file, "pwrite64") ? error() : real(file, bytes, count, place);
}

int fsync(int file)
{
    int (*real)(int) = dlsym(RTLD_NEXT, "fsync");
    return file_concerns(file, "fsync") ? error() : real(file);
}

int rename(const char *from, const char *to)
{
    int (*real)(const char *, const char *) = dlsym(RTLD_NEXT, "rename");
    return concerns(from, "rename") ? error() : real(from, to);
}
