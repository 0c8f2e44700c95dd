#include "unix/host_descriptor.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>

#include "ke/lock.h"

namespace unix_side {

namespace {

/// Exported by the Linux half of Wine's ntdll, for its other Linux halves; they use Windows' calling
/// convention among each other. The descriptor it gives is the caller's and survives exec.
using HandleToFd = __attribute__((ms_abi)) NTSTATUS (*)(
    HANDLE handle, unsigned access, int* fd, unsigned* options);

/// Held while there is a descriptor that a child would get, and while one is made.
ke::Lock g_lock;
HandleToFd g_handle_to_fd GUARDED_BY(g_lock) = nullptr;
pthread_once_t g_once = PTHREAD_ONCE_INIT;

void find_service() NO_THREAD_SAFETY_ANALYSIS
{
    // The host has loaded it long ago.
    if (void* ntdll = dlopen("ntdll.so", RTLD_NOW | RTLD_NOLOAD))
        g_handle_to_fd
            = reinterpret_cast<HandleToFd>(dlsym(ntdll, "wine_server_handle_to_fd"));
    const auto lock = []() NO_THREAD_SAFETY_ANALYSIS { g_lock.lock(); };
    const auto unlock = []() NO_THREAD_SAFETY_ANALYSIS { g_lock.unlock(); };
    if (pthread_atfork(lock, unlock, unlock) != 0)
        g_handle_to_fd = nullptr;
}

} // namespace

NTSTATUS open_descriptor(HANDLE socket, int& fd)
{
    pthread_once(&g_once, find_service);
    ke::LockGuard guard(g_lock);
    if (!g_handle_to_fd)
        return STATUS_NOT_SUPPORTED;
    const NTSTATUS status = g_handle_to_fd(socket, 0, &fd, nullptr);
    if (NT_SUCCESS(status))
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    return status;
}

} // namespace unix_side
