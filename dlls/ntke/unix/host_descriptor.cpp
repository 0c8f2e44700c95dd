#include "unix/host_descriptor.h"

#include <algorithm>

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include "ke/lock.h"
#include "unix/convention.h"

namespace unix_side {

namespace {

// The services are exported by the Linux half of Wine's ntdll, for its other Linux halves. The
// descriptor that the first one gives is the caller's and survives exec. Wine 8 compiles both for
// Windows' calling convention, Wine 10 for Linux'.

using host::Convention;

/// Held while there is a descriptor that a child would get, and while one is made.
ke::Lock g_lock;
void* g_service GUARDED_BY(g_lock) = nullptr;
void* g_make_service GUARDED_BY(g_lock) = nullptr;
Convention g_convention GUARDED_BY(g_lock) = Convention::Unknown;
/// Linux gives the lowest descriptor that is free. From this one on they are left to the host,
/// which needs some for each thread, and does not survive without; written once, before its use.
int g_first_of_host = 0;
pthread_once_t g_once = PTHREAD_ONCE_INIT;

void find_service() NO_THREAD_SAFETY_ANALYSIS
{
    // The host has loaded it long ago.
    if (void* ntdll = dlopen("ntdll.so", RTLD_NOW | RTLD_NOLOAD)) {
        g_service = dlsym(ntdll, "wine_server_handle_to_fd");
        g_make_service = dlsym(ntdll, "wine_server_fd_to_handle");
    }
    rlimit limit {};
    getrlimit(RLIMIT_NOFILE, &limit);
    g_first_of_host = static_cast<int>(std::min<rlim_t>(limit.rlim_cur, INT32_MAX) / 4);
    const auto lock = []() NO_THREAD_SAFETY_ANALYSIS { g_lock.lock(); };
    const auto unlock = []() NO_THREAD_SAFETY_ANALYSIS { g_lock.unlock(); };
    if (pthread_atfork(lock, unlock, unlock) != 0)
        g_service = nullptr;
}

NTSTATUS ask_in(Convention convention, HANDLE socket, int& fd) REQUIRES(g_lock)
{
    constexpr unsigned kAnyAccess = 0;
    return host::call_in<NTSTATUS, HANDLE, unsigned, int*, unsigned*>(
        convention, g_service, socket, kAnyAccess, &fd, nullptr);
}

#ifdef __i386__

/// Finds out the convention by the call that is wanted.
NTSTATUS ask_first(HANDLE socket, int& fd) REQUIRES(g_lock)
{
    const uintptr_t arguments[4]
        = { reinterpret_cast<uintptr_t>(socket), 0, reinterpret_cast<uintptr_t>(&fd), 0 };
    NTSTATUS status;
    g_convention = host::call_and_see(g_service, arguments, status);
    return status;
}

#else

/// A call in Linux' convention that a function of Windows' takes for one with a bad handle: to that
/// one, `options` is the handle and `nowhere` what `fd` is. The zeros lie where it may put its
/// arguments.
using Probe = NTSTATUS (*)(HANDLE, unsigned access, int* fd, unsigned* options, int* nowhere,
    unsigned* no_options, uint64_t, uint64_t, uint64_t, uint64_t);

/// Finds out the convention by the call that is wanted.
NTSTATUS ask_first(HANDLE socket, int& fd) REQUIRES(g_lock)
{
    unsigned options = 0;
    int nowhere = -1;
    NTSTATUS status = reinterpret_cast<Probe>(g_service)(
        socket, 0, &fd, &options, &nowhere, nullptr, 0, 0, 0, 0);
    if (NT_SUCCESS(status) && nowhere < 0) {
        g_convention = Convention::Linux;
    } else if (status == STATUS_INVALID_HANDLE) {
        status = ask_in(Convention::Windows, socket, fd);
        if (NT_SUCCESS(status))
            g_convention = Convention::Windows;
    }
    return status;
}

#endif

NTSTATUS ask_host(HANDLE socket, int& fd) REQUIRES(g_lock)
{
    return g_convention == Convention::Unknown ? ask_first(socket, fd)
                                               : ask_in(g_convention, socket, fd);
}

/// Makes sure that the convention is known.
bool is_convention_known(HANDLE socket) REQUIRES(g_lock)
{
    int fd;
    if (g_convention == Convention::Unknown && NT_SUCCESS(ask_host(socket, fd)))
        close(fd);
    return g_convention != Convention::Unknown;
}

} // namespace

void set_host_version(uint32_t major)
{
    ke::LockGuard guard(g_lock);
    // Which release of 9 has changed the convention only a call tells, and on i386 a call always
    // does.
    if (major != 9 && sizeof(void*) == 8)
        g_convention = major < 9 ? Convention::Windows : Convention::Linux;
}

NTSTATUS open_descriptor(HANDLE socket, int& fd)
{
    pthread_once(&g_once, find_service);
    ke::LockGuard guard(g_lock);
    if (!g_service)
        return STATUS_NOT_SUPPORTED;
    const NTSTATUS status = ask_host(socket, fd);
    if (!NT_SUCCESS(status))
        return status;
    if (fd >= g_first_of_host) {
        close(fd);
        return STATUS_TOO_MANY_OPENED_FILES;
    }
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    return STATUS_SUCCESS;
}

NTSTATUS make_handle(HANDLE socket, int fd, Inheritable inheritable, HANDLE& handle)
{
    constexpr unsigned kAccess = GENERIC_READ | GENERIC_WRITE | SYNCHRONIZE;
    pthread_once(&g_once, find_service);
    ke::LockGuard guard(g_lock);
    if (!g_service || !g_make_service || !is_convention_known(socket))
        return STATUS_NOT_SUPPORTED;
    const unsigned attributes = inheritable == Inheritable::Yes ? OBJ_INHERIT : 0;
    return host::call_in<NTSTATUS, int, unsigned, unsigned, HANDLE*>(
        g_convention, g_make_service, fd, kAccess, attributes, &handle);
}

} // namespace unix_side
