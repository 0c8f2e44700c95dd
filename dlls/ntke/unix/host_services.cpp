#include "unix/host_services.h"

#include <initializer_list>

#include <dlfcn.h>
#include <pthread.h>

namespace host {

Convention g_convention = Convention::Unknown;

namespace {

AnyService* const kServices[] = {
    &close,
    &duplicate_object,
    &set_information_object,
    &create_file,
    &open_file,
    &query_attributes_file,
    &query_full_attributes_file,
    &device_io_control,
    &read_file,
    &write_file,
    &cancel_io,
    &cancel_io_ex,
    &set_information_file,
    &create_io_completion,
    &set_io_completion,
    &remove_io_completion,
    &remove_io_completion_ex,
    &query_io_completion,
    &create_event,
    &set_event,
    &reset_event,
    &query_event,
    &wait_for_single_object,
    &wait_for_multiple_objects,
    &pulse_event,
    &clear_event,
    &signal_and_wait,
    &delay_execution,
    &yield_execution,
    &fs_control,
    &lock_file,
    &query_directory,
    &notify_change_directory,
    &notify_change_key,
    &notify_change_multiple_keys,
    &read_file_scatter,
    &write_file_gather,
    &query_object,
    &unmap_view_of_section,
    &queue_apc_thread,
    &create_thread_ex,
    &suspend_thread,
    &resume_thread,
    &query_information_thread,
    &query_information_process,
    &terminate_thread,
    &terminate_process,
};

#ifdef __i386__

Convention find_convention()
{
    void* query_time = find_function("NtQuerySystemTime");
    if (!query_time)
        return Convention::Unknown;
    LARGE_INTEGER time {};
    const uintptr_t arguments[4] = { reinterpret_cast<uintptr_t>(&time) };
    NTSTATUS status;
    const Convention found = call_and_see(query_time, arguments, status);
    return NT_SUCCESS(status) && time.QuadPart ? found : Convention::Unknown;
}

#else

/// Called in Linux' convention: of the first and the fourth pointer, one is where the function
/// looks for its only argument, by convention. The zeros lie where a function of Windows'
/// convention may put arguments.
using QueryTime = NTSTATUS (*)(LARGE_INTEGER* if_linux, void*, void*, LARGE_INTEGER* if_windows,
    void*, void*, uint64_t, uint64_t, uint64_t, uint64_t);

Convention find_convention()
{
    const auto query_time = reinterpret_cast<QueryTime>(find_function("NtQuerySystemTime"));
    if (!query_time)
        return Convention::Unknown;
    LARGE_INTEGER if_linux {};
    LARGE_INTEGER if_windows {};
    query_time(&if_linux, nullptr, nullptr, &if_windows, nullptr, nullptr, 0, 0, 0, 0);
    if (if_linux.QuadPart)
        return Convention::Linux;
    return if_windows.QuadPart ? Convention::Windows : Convention::Unknown;
}

#endif

pthread_once_t g_once = PTHREAD_ONCE_INIT;
const char* g_why_not = nullptr;

void find_all()
{
    for (AnyService* service : kServices) {
        service->entry = find_function(service->name);
        if (!service->entry) {
            g_why_not = "the host lacks a service";
            return;
        }
    }
    g_convention = find_convention();
    if (g_convention == Convention::Unknown)
        g_why_not = "the calling convention of the host is unknown";
}

} // namespace

void* find_function(const char* name)
{
    // That of windows may be loaded later.
    for (const char* library : { "ntdll.so", "win32u.so" }) {
        void* const handle = dlopen(library, RTLD_NOW | RTLD_NOLOAD);
        if (void* function = handle ? dlsym(handle, name) : nullptr)
            return function;
    }
    return nullptr;
}

const char* find_services()
{
    pthread_once(&g_once, find_all);
    return g_why_not;
}

} // namespace host
