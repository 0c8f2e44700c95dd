// The services of the host kernel, as Linux code calls them: past the system service table, so what
// ntke asks of the host does not come back to ntke.
#pragma once

#include <cstdint>

#include "ke/timeline.h"
#include "nt/api.h"
#include "unix/convention.h"

namespace host {

/// The convention of the services. Written by find_services.
extern Convention g_convention;

/// What find_services looks for. Owner: the variables below, which stay. Written once, before any
/// other thread looks.
struct AnyService {
    const char* name;
    void* entry;
    mutable ke::timeline::Name recorded { name };
};

/// One service of the host, to be called like a function.
template <typename Signature> struct Service;
template <typename Result, typename... Arguments>
struct Service<Result(Arguments...)> : AnyService {
    Result operator()(Arguments... arguments) const
    {
        if (!ke::timeline::is_on()) [[likely]]
            return call(arguments...);
        const uint64_t begin = ke::timeline::now();
        const Result result = call(arguments...);
        ke::timeline::note_host(recorded, begin, result);
        return result;
    }

private:
    Result call(Arguments... arguments) const
    {
        return call_in<Result, Arguments...>(g_convention, entry, arguments...);
    }
};

// Handles.
inline constinit Service<decltype(NtClose)> close { { "NtClose", nullptr } };
inline constinit Service<decltype(NtSetInformationObject)> set_information_object {
    { "NtSetInformationObject", nullptr }
};
inline constinit Service<decltype(NtDuplicateObject)> duplicate_object { { "NtDuplicateObject",
    nullptr } };
inline constinit Service<decltype(NtQueryObject)> query_object { { "NtQueryObject", nullptr } };

inline constinit Service<decltype(NtUnmapViewOfSection)> unmap_view_of_section {
    { "NtUnmapViewOfSection", nullptr }
};

// Files.
inline constinit Service<decltype(NtCreateFile)> create_file { { "NtCreateFile", nullptr } };
inline constinit Service<decltype(NtOpenFile)> open_file { { "NtOpenFile", nullptr } };
inline constinit Service<decltype(NtQueryAttributesFile)> query_attributes_file {
    { "NtQueryAttributesFile", nullptr }
};
inline constinit Service<decltype(NtQueryFullAttributesFile)> query_full_attributes_file {
    { "NtQueryFullAttributesFile", nullptr }
};
inline constinit Service<decltype(NtDeviceIoControlFile)> device_io_control {
    { "NtDeviceIoControlFile", nullptr }
};
inline constinit Service<decltype(NtReadFile)> read_file { { "NtReadFile", nullptr } };
inline constinit Service<decltype(NtWriteFile)> write_file { { "NtWriteFile", nullptr } };
inline constinit Service<decltype(NtCancelIoFile)> cancel_io { { "NtCancelIoFile", nullptr } };
inline constinit Service<decltype(NtCancelIoFileEx)> cancel_io_ex { { "NtCancelIoFileEx",
    nullptr } };
inline constinit Service<decltype(NtSetInformationFile)> set_information_file {
    { "NtSetInformationFile", nullptr }
};

// Completion ports.
inline constinit Service<decltype(NtCreateIoCompletion)> create_io_completion {
    { "NtCreateIoCompletion", nullptr }
};
inline constinit Service<decltype(NtSetIoCompletion)> set_io_completion { { "NtSetIoCompletion",
    nullptr } };
inline constinit Service<decltype(NtRemoveIoCompletion)> remove_io_completion {
    { "NtRemoveIoCompletion", nullptr }
};
inline constinit Service<decltype(NtRemoveIoCompletionEx)> remove_io_completion_ex {
    { "NtRemoveIoCompletionEx", nullptr }
};
inline constinit Service<decltype(NtQueryIoCompletion)> query_io_completion {
    { "NtQueryIoCompletion", nullptr }
};

// Events and waits.
inline constinit Service<decltype(NtCreateEvent)> create_event { { "NtCreateEvent", nullptr } };
inline constinit Service<decltype(NtSetEvent)> set_event { { "NtSetEvent", nullptr } };
inline constinit Service<decltype(NtResetEvent)> reset_event { { "NtResetEvent", nullptr } };
inline constinit Service<decltype(NtQueryEvent)> query_event { { "NtQueryEvent", nullptr } };
inline constinit Service<decltype(NtWaitForSingleObject)> wait_for_single_object {
    { "NtWaitForSingleObject", nullptr }
};
inline constinit Service<decltype(NtWaitForMultipleObjects)> wait_for_multiple_objects {
    { "NtWaitForMultipleObjects", nullptr }
};

inline constinit Service<decltype(NtPulseEvent)> pulse_event { { "NtPulseEvent", nullptr } };
inline constinit Service<decltype(NtClearEvent)> clear_event { { "NtClearEvent", nullptr } };
inline constinit Service<decltype(NtSignalAndWaitForSingleObject)> signal_and_wait {
    { "NtSignalAndWaitForSingleObject", nullptr }
};
inline constinit Service<decltype(NtDelayExecution)> delay_execution { { "NtDelayExecution",
    nullptr } };
inline constinit Service<decltype(NtYieldExecution)> yield_execution { { "NtYieldExecution",
    nullptr } };

/// Of the Linux half of windows, which may not be loaded: its entry is found when it is.
inline constinit Service<decltype(NtUserMsgWaitForMultipleObjectsEx)> wait_for_messages {
    { "NtUserMsgWaitForMultipleObjectsEx", nullptr }
};

// Requests that set an event.
inline constinit Service<decltype(NtFsControlFile)> fs_control { { "NtFsControlFile", nullptr } };
inline constinit Service<decltype(NtLockFile)> lock_file { { "NtLockFile", nullptr } };
inline constinit Service<decltype(NtQueryDirectoryFile)> query_directory { { "NtQueryDirectoryFile",
    nullptr } };
inline constinit Service<decltype(NtNotifyChangeDirectoryFile)> notify_change_directory {
    { "NtNotifyChangeDirectoryFile", nullptr }
};
inline constinit Service<decltype(NtNotifyChangeKey)> notify_change_key { { "NtNotifyChangeKey",
    nullptr } };
inline constinit Service<decltype(NtNotifyChangeMultipleKeys)> notify_change_multiple_keys {
    { "NtNotifyChangeMultipleKeys", nullptr }
};
inline constinit Service<decltype(NtReadFileScatter)> read_file_scatter { { "NtReadFileScatter",
    nullptr } };
inline constinit Service<decltype(NtWriteFileGather)> write_file_gather { { "NtWriteFileGather",
    nullptr } };

// Threads and processes.
inline constinit Service<decltype(NtQueueApcThread)> queue_apc_thread { { "NtQueueApcThread",
    nullptr } };
inline constinit Service<decltype(NtCreateThreadEx)> create_thread_ex { { "NtCreateThreadEx",
    nullptr } };
inline constinit Service<decltype(NtSuspendThread)> suspend_thread { { "NtSuspendThread",
    nullptr } };
inline constinit Service<decltype(NtResumeThread)> resume_thread { { "NtResumeThread", nullptr } };
inline constinit Service<decltype(NtQueryInformationThread)> query_information_thread {
    { "NtQueryInformationThread", nullptr }
};
inline constinit Service<decltype(NtQueryInformationProcess)> query_information_process {
    { "NtQueryInformationProcess", nullptr }
};
inline constinit Service<decltype(NtTerminateThread)> terminate_thread { { "NtTerminateThread",
    nullptr } };
inline constinit Service<decltype(NtTerminateProcess)> terminate_process { { "NtTerminateProcess",
    nullptr } };

/// Finds the services in the host's Linux half, which the host has loaded long ago, and its
/// convention. May be called by several threads at a time; the work is done once. Returns why not,
/// or null: they are all there.
const char* find_services();

/// A function of the host's Linux halves, null: those that are loaded have none of this name.
void* find_function(const char* name);

} // namespace host
