// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// A stand-in for NVIDIA's management library with two GPUs, of which the second has no power figure.

struct Utilisation {
  unsigned int gpu;
  unsigned int memory;
};
struct Memory {
  unsigned long long total;
  unsigned long long free;
  unsigned long long used;
};

static int gpus[2];
static int initialised = 0;
static bool IsSecond(void* device) { return device == &gpus[1]; }

extern "C" {
int nvmlInit_v2() { return initialised++ == 0 ? 0 : 1; }
int nvmlShutdown() { return --initialised == 0 ? 0 : 1; }
int nvmlDeviceGetCount_v2(unsigned int* count) {
  *count = 2;
  return initialised == 1 ? 0 : 1;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void** device) {
  if (index > 1) return 2;
  *device = &gpus[index];
  return 0;
}
int nvmlDeviceGetUtilizationRates(void* device, Utilisation* rates) {
  rates->gpu = IsSecond(device) ? 5 : 87;
  rates->memory = 1;
  return 0;
}
int nvmlDeviceGetMemoryInfo(void* device, Memory* memory) {
  memory->total = 80ULL << 30;
  memory->used = IsSecond(device) ? 1ULL << 30 : 42ULL << 30;
  memory->free = memory->total - memory->used;
  return 0;
}
int nvmlDeviceGetPowerUsage(void* device, unsigned int* milliwatts) {
  *milliwatts = 612500;
  return IsSecond(device) ? 3 : 0;
}
int nvmlDeviceGetTemperature(void* device, int sensor, unsigned int* celsius) {
  *celsius = IsSecond(device) ? 31 : 64;
  return sensor == 0 ? 0 : 2;
}
}
