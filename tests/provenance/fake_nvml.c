// Two GPUs, as NVIDIA's management library would show them; it knows nothing of MIG.
#include <stdio.h>
#include <string.h>

struct memory {
  unsigned long long total, free, used;
};
struct pci {
  char legacy[16];
  unsigned domain, bus, device, id, subsystem;
  char bus_id[32];
};

static unsigned number(void* device) { return (unsigned)((char*)device - (char*)0x100); }

int nvmlInit_v2(void) { return 0; }
int nvmlShutdown(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned* count) { return *count = 2, 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void** device) {
  return *device = (char*)0x100 + i, 0;
}
int nvmlDeviceGetName(void* device, char* text, unsigned size) {
  (void)device;
  return snprintf(text, size, "NVIDIA H200"), 0;
}
int nvmlDeviceGetUUID(void* device, char* text, unsigned size) {
  return snprintf(text, size, "GPU-%u", number(device)), 0;
}
int nvmlSystemGetDriverVersion(char* text, unsigned size) {
  return snprintf(text, size, "570.86.15"), 0;
}
int nvmlDeviceGetPciInfo_v3(void* device, struct pci* pci) {
  return snprintf(pci->bus_id, sizeof pci->bus_id, "00000000:%02u:00.0", number(device)), 0;
}
int nvmlDeviceGetMemoryInfo(void* device, struct memory* memory) {
  (void)device;
  return memory->total = 150754820096ULL, 0;
}
int nvmlDeviceGetEccMode(void* device, unsigned* now, unsigned* then) {
  (void)device;
  return *now = *then = 1, 0;
}
int nvmlDeviceGetPowerManagementLimit(void* device, unsigned* limit) {
  (void)device;
  return *limit = 700000, 0;
}
int nvmlDeviceGetCudaComputeCapability(void* device, int* major, int* minor) {
  (void)device;
  return *major = 9, *minor = 0, 0;
}
