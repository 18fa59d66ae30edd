// GPUs as NVIDIA's management library would show them: a line each in the file that FAKE_GPUS names,
// "name|uuid|driver|ecc|mig|millijoules", where "-" is what the library does not tell. Two H200
// without MIG where there is no such file.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct memory {
  unsigned long long total, free, used;
};
struct pci {
  char legacy[16];
  unsigned domain, bus, device, id, subsystem;
  char bus_id[32];
};
struct gpu {
  char field[6][64];
};

static struct gpu gpus[64];
static unsigned count;

static void add(const char* line) {
  if (sscanf(line, "%63[^|]|%63[^|]|%63[^|]|%63[^|]|%63[^|]|%63[^|\n]", gpus[count].field[0],
             gpus[count].field[1], gpus[count].field[2], gpus[count].field[3], gpus[count].field[4],
             gpus[count].field[5]) == 6)
    ++count;
}

static const char* told(void* device, int field) {
  const char* text = gpus[(unsigned)((char*)device - (char*)0x100)].field[field];
  return strcmp(text, "-") == 0 ? NULL : text;
}

static int copy(char* text, unsigned size, const char* from) {
  if (from == NULL) return 3;
  snprintf(text, size, "%s", from);
  return 0;
}

static int mode(unsigned* now, unsigned* then, const char* from) {
  if (from == NULL) return 3;
  *now = *then = from[0] == '1';
  return 0;
}

int nvmlInit_v2(void) {
  char line[400];
  FILE* file = getenv("FAKE_GPUS") ? fopen(getenv("FAKE_GPUS"), "r") : NULL;
  count = 0;
  if (file == NULL) {
    add("NVIDIA H200|GPU-0|570.86.15|1|-|5000");
    add("NVIDIA H200|GPU-1|570.86.15|1|-|7000");
    return 0;
  }
  while (count < 64 && fgets(line, sizeof line, file)) add(line);
  return fclose(file), 0;
}
int nvmlShutdown(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned* found) { return *found = count, 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void** device) {
  return *device = (char*)0x100 + i, 0;
}
int nvmlDeviceGetName(void* device, char* text, unsigned size) {
  return copy(text, size, told(device, 0));
}
int nvmlDeviceGetUUID(void* device, char* text, unsigned size) {
  return copy(text, size, told(device, 1));
}
int nvmlSystemGetDriverVersion(char* text, unsigned size) {
  return copy(text, size, count == 0 ? NULL : told((char*)0x100, 2));
}
int nvmlSystemGetCudaDriverVersion_v2(int* version) { return *version = 13000, 0; }
int nvmlDeviceGetNvLinkState(void* device, unsigned link, unsigned* state) {
  (void)device;
  if (link >= 4) return 3;
  return *state = link != 3, 0;
}
int nvmlDeviceGetPciInfo_v3(void* device, struct pci* pci) {
  return snprintf(pci->bus_id, sizeof pci->bus_id, "00000000:%02u:00.0",
                  (unsigned)((char*)device - (char*)0x100)),
         0;
}
int nvmlDeviceGetMemoryInfo(void* device, struct memory* memory) {
  (void)device;
  return memory->total = 150754820096ULL, 0;
}
int nvmlDeviceGetEccMode(void* device, unsigned* now, unsigned* then) {
  return mode(now, then, told(device, 3));
}
int nvmlDeviceGetMigMode(void* device, unsigned* now, unsigned* then) {
  return mode(now, then, told(device, 4));
}
int nvmlDeviceGetPowerManagementLimit(void* device, unsigned* limit) {
  (void)device;
  return *limit = 700000, 0;
}
int nvmlDeviceGetCudaComputeCapability(void* device, int* major, int* minor) {
  (void)device;
  return *major = 9, *minor = 0, 0;
}
int nvmlDeviceGetTotalEnergyConsumption(void* device, unsigned long long* millijoules) {
  if (told(device, 5) == NULL) return 3;
  return *millijoules = strtoull(told(device, 5), NULL, 10), 0;
}
