/* Stands in for libnvidia-ml.so.1: GPUs as the file $FAKE_NVML tells them, read anew each time.
 *
 * `gpu UUID TOTAL` (bytes) for each GPU, in their order; `use INDEX PID BYTES` for what a process
 * has allocated. A later `use` of the same process counts instead of the earlier one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OK = 0, INVALID = 2, NOT_FOUND = 6, SMALL = 7 };
enum { MOST = 64 };
typedef struct { unsigned pid; unsigned long long bytes; unsigned instance, part; } Process;
typedef struct { unsigned long long total, free, used; } Memory;
static struct { char uuid[96]; unsigned long long total; unsigned n; Process use[MOST]; } gpus[8];
static unsigned count;

static void note(unsigned index, unsigned pid, unsigned long long bytes) {
    unsigned i = 0;
    while (i < gpus[index].n && gpus[index].use[i].pid != pid) i++;
    if (i == MOST) return;
    gpus[index].n += i == gpus[index].n;
    gpus[index].use[i] = (Process){pid, bytes, 0, 0};
}

static int alive(unsigned pid) {
    char path[64], state = 'X';
    snprintf(path, sizeof path, "/proc/%u/stat", pid);
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1) state = 'X';
    fclose(file);
    return state != 'Z' && state != 'X';
}

static void look(void) {
    char line[256];
    unsigned index, pid;
    unsigned long long bytes;
    FILE *file = fopen(getenv("FAKE_NVML"), "r");
    count = 0;
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "gpu %95s %llu", gpus[count].uuid, &gpus[count].total) == 2)
            gpus[count++].n = 0;
        else if (sscanf(line, "use %u %u %llu", &index, &pid, &bytes) == 3 && alive(pid))
            note(index, pid, bytes);
    }
    if (file) fclose(file);
}

int nvmlInitWithFlags(unsigned flags) { (void)flags; return OK; }
int nvmlShutdown(void) { return OK; }
const char *nvmlErrorString(int code) { return code == OK ? "Success" : "Not Found"; }
int nvmlDeviceGetCount_v2(unsigned *found) { look(); *found = count; return OK; }

int nvmlDeviceGetHandleByIndex_v2(unsigned index, size_t *handle) {
    look();
    *handle = index + 1;
    return index < count ? OK : INVALID;
}

int nvmlDeviceGetHandleByUUID(const char *uuid, size_t *handle) {
    look();
    for (unsigned i = 0; i < count; i++)
        if (!strcmp(uuid, gpus[i].uuid)) { *handle = i + 1; return OK; }
    return NOT_FOUND;
}

int nvmlDeviceGetUUID(size_t handle, char *uuid, unsigned length) {
    snprintf(uuid, length, "%s", gpus[handle - 1].uuid);
    return OK;
}

int nvmlDeviceGetMemoryInfo(size_t handle, Memory *memory) {
    memory->total = gpus[handle - 1].total;
    memory->used = 0;
    for (unsigned i = 0; i < gpus[handle - 1].n; i++) memory->used += gpus[handle - 1].use[i].bytes;
    memory->free = memory->total - memory->used;
    return OK;
}

int nvmlDeviceGetComputeRunningProcesses_v3(size_t handle, unsigned *n, Process *found) {
    unsigned there = gpus[handle - 1].n, room = *n;
    *n = there;
    if (there > room) return SMALL;
    if (there) memcpy(found, gpus[handle - 1].use, there * sizeof *found);
    return OK;
}
