/* A driver that answers what the environment says: just the calls that are made before the first tensor. */
#include <stdlib.h>
#include <string.h>

static int told(const char *name, int otherwise) {
    const char *value = getenv(name);
    return value ? atoi(value) : otherwise;
}

int cuDriverGetVersion(int *version) { *version = told("FAKE_CUDA_VERSION", 13000); return 0; }
int cuInit(unsigned flags) { (void)flags; return told("FAKE_CUDA_INIT", 0); }
int cuDeviceGetCount(int *count) { *count = told("FAKE_CUDA_DEVICES", 1); return 0; }
int cuDeviceGet(int *device, int index) { *device = index; return 0; }
int cuDeviceGetName(char *name, int length, int device) {
    (void)device;
    strncpy(name, "Pretended GPU", length);
    return 0;
}
/* Compute capability 9.0; everything else can be done. */
int cuDeviceGetAttribute(int *value, int attribute, int device) {
    (void)device;
    *value = attribute == 75 ? 9 : attribute == 76 ? 0 : 1;
    return 0;
}
int cuDevicePrimaryCtxRetain(void **context, int device) {
    (void)device;
    *context = context;
    return told("FAKE_CUDA_CONTEXT", 0);
}
int cuDevicePrimaryCtxRelease_v2(int device) { (void)device; return 0; }
int cuCtxGetCurrent(void **context) { *context = 0; return 0; }
int cuCtxSetCurrent(void *context) { (void)context; return 0; }
int cuModuleLoadData(void **module, const void *image) {
    *module = module;
    return strcmp(image, "compiled") ? 200 : told("FAKE_CUDA_LOAD", 0);
}
int cuModuleUnload(void *module) { (void)module; return 0; }
int cuGetErrorString(int error, const char **text) {
    *text = error == 222   ? "the provided PTX was compiled with an unsupported toolchain."
            : error == 803 ? "system has unsupported display driver / cuda driver combination"
                           : "something is wrong";
    return 0;
}
