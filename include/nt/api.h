// The NT system services the project calls. This is the seam: whoever sits above it (the Winsock
// exports, the NT-level suite) sees the same prototypes whether ntdll or the kernel object
// emulation answers.
//
// Parameters and results follow the public descriptions of the services; handles, buffers and
// I/O status blocks belong to the caller. Times are in units of 100 ns: negative values are
// relative to now, positive ones absolute (since 1601), a null pointer means for ever.
#pragma once

#include "nt/status.h"
#include "nt/types.h"

extern "C" {

// Events. `previous` (may be null) receives the signal state the event had before, 0 or 1.
NTSTATUS NTAPI NtCreateEvent(HANDLE* event, ACCESS_MASK access, const OBJECT_ATTRIBUTES* attributes,
    EventType type, BOOLEAN signaled);
NTSTATUS NTAPI NtSetEvent(HANDLE event, LONG* previous);
NTSTATUS NTAPI NtResetEvent(HANDLE event, LONG* previous);
NTSTATUS NTAPI NtClearEvent(HANDLE event);
NTSTATUS NTAPI NtPulseEvent(HANDLE event, LONG* previous);

/// Class 0 of the event information. Counterpart: EVENT_BASIC_INFORMATION.
struct EventBasicInformation {
    EventType type;
    LONG state;
};
static_assert(sizeof(EventBasicInformation) == 8);
constexpr ULONG kEventBasicInformation = 0;
NTSTATUS NTAPI NtQueryEvent(
    HANDLE event, ULONG info_class, PVOID info, ULONG info_length, ULONG* returned_length);

// Handles.
NTSTATUS NTAPI NtDuplicateObject(HANDLE source_process, HANDLE source, HANDLE target_process,
    HANDLE* target, ACCESS_MASK access, ULONG attributes, ULONG options);

/// Class 4 of the object information: the flags of the handle itself.
/// Counterpart: OBJECT_HANDLE_FLAG_INFORMATION.
struct HandleFlagInformation {
    BOOLEAN inherit;
    BOOLEAN protect_from_close;
};
NTSTATUS NTAPI NtSetInformationObject(HANDLE handle, ULONG info_class, PVOID info, ULONG length);

// Waits. The result is STATUS_WAIT_0 + index, STATUS_ABANDONED_WAIT_0 + index, STATUS_TIMEOUT,
// STATUS_USER_APC, STATUS_ALERTED or an error.
NTSTATUS NTAPI NtWaitForMultipleObjects(ULONG count, const HANDLE* handles, WaitType type,
    BOOLEAN alertable, const LARGE_INTEGER* timeout);
NTSTATUS NTAPI NtDelayExecution(BOOLEAN alertable, const LARGE_INTEGER* timeout);
NTSTATUS NTAPI NtYieldExecution(void);
NTSTATUS NTAPI NtUnmapViewOfSection(HANDLE process, PVOID address);

// Alerts and user APCs.
NTSTATUS NTAPI NtQueueApcThread(
    HANDLE thread, PVOID routine, PVOID argument1, PVOID argument2, PVOID argument3);
NTSTATUS NTAPI NtAlertThread(HANDLE thread);
NTSTATUS NTAPI NtTestAlert();

// Files. The other file services are declared by the SDK's winternl.h.
NTSTATUS NTAPI NtReadFile(HANDLE file, HANDLE event, PIO_APC_ROUTINE apc, PVOID apc_context,
    IO_STATUS_BLOCK* iosb, PVOID buffer, ULONG length, LARGE_INTEGER* offset, ULONG* key);
NTSTATUS NTAPI NtWriteFile(HANDLE file, HANDLE event, PIO_APC_ROUTINE apc, PVOID apc_context,
    IO_STATUS_BLOCK* iosb, const void* buffer, ULONG length, LARGE_INTEGER* offset, ULONG* key);
NTSTATUS NTAPI NtCancelIoFile(HANDLE file, IO_STATUS_BLOCK* iosb);
/// `request` null cancels every operation on the file; otherwise the one with that status block.
NTSTATUS NTAPI NtCancelIoFileEx(HANDLE file, IO_STATUS_BLOCK* request, IO_STATUS_BLOCK* iosb);

// Completion ports.

/// One dequeued completion packet. Counterpart: FILE_IO_COMPLETION_INFORMATION.
struct CompletionPacket {
    ULONG_PTR key;
    ULONG_PTR context; // the APC context of the request: Winsock passes the OVERLAPPED pointer
    IO_STATUS_BLOCK iosb;
};

/// Counterpart: FILE_COMPLETION_INFORMATION, the argument of NtSetInformationFile's class.
struct FileCompletionInformation {
    HANDLE port;
    ULONG_PTR key;
};
constexpr ULONG kFileCompletionInformation = 30;
/// Its argument is a ULONG of FILE_SKIP_* bits.
constexpr ULONG kFileIoCompletionNotificationInformation = 41;

NTSTATUS NTAPI NtCreateIoCompletion(
    HANDLE* port, ACCESS_MASK access, const OBJECT_ATTRIBUTES* attributes, ULONG concurrency);
NTSTATUS NTAPI NtSetIoCompletion(
    HANDLE port, ULONG_PTR key, ULONG_PTR context, NTSTATUS status, ULONG_PTR information);
NTSTATUS NTAPI NtRemoveIoCompletion(HANDLE port, ULONG_PTR* key, ULONG_PTR* context,
    IO_STATUS_BLOCK* iosb, const LARGE_INTEGER* timeout);
NTSTATUS NTAPI NtRemoveIoCompletionEx(HANDLE port, CompletionPacket* packets, ULONG count,
    ULONG* removed, const LARGE_INTEGER* timeout, BOOLEAN alertable);
NTSTATUS NTAPI NtQueryIoCompletion(
    HANDLE port, ULONG info_class, PVOID info, ULONG info_length, ULONG* returned_length);

#ifndef _WIN32

NTSTATUS NTAPI NtClose(HANDLE handle);
using OBJECT_INFORMATION_CLASS = ULONG;
NTSTATUS NTAPI NtQueryObject(HANDLE handle, OBJECT_INFORMATION_CLASS info_class, PVOID info,
    ULONG length, ULONG* returned_length);
NTSTATUS NTAPI NtWaitForSingleObject(
    HANDLE handle, BOOLEAN alertable, const LARGE_INTEGER* timeout);
NTSTATUS NTAPI NtCreateFile(HANDLE* file, ACCESS_MASK access, const OBJECT_ATTRIBUTES* attributes,
    IO_STATUS_BLOCK* iosb, const LARGE_INTEGER* allocation_size, ULONG file_attributes,
    ULONG share_access, ULONG disposition, ULONG options, PVOID ea_buffer, ULONG ea_length);
/// When what was done to a file, in NT's time.
struct FileTimes {
    LARGE_INTEGER creation;
    LARGE_INTEGER last_access;
    LARGE_INTEGER last_write;
    LARGE_INTEGER change;
};
/// Counterpart: FILE_BASIC_INFORMATION.
struct FileBasicInformation {
    FileTimes times;
    ULONG attributes;
};
NTSTATUS NTAPI NtQueryAttributesFile(
    const OBJECT_ATTRIBUTES* attributes, FileBasicInformation* info);
/// Counterpart: FILE_NETWORK_OPEN_INFORMATION.
struct FileNetworkOpenInformation {
    FileTimes times;
    LARGE_INTEGER allocation_size;
    LARGE_INTEGER size;
    ULONG attributes;
};
NTSTATUS NTAPI NtQueryFullAttributesFile(
    const OBJECT_ATTRIBUTES* attributes, FileNetworkOpenInformation* info);
NTSTATUS NTAPI NtDeviceIoControlFile(HANDLE file, HANDLE event, PIO_APC_ROUTINE apc,
    PVOID apc_context, IO_STATUS_BLOCK* iosb, ULONG code, PVOID input, ULONG input_length,
    PVOID output, ULONG output_length);
NTSTATUS NTAPI NtSetInformationFile(
    HANDLE file, IO_STATUS_BLOCK* iosb, PVOID info, ULONG length, ULONG info_class);

// What ntke does not serve by itself and only asks its host for.
NTSTATUS NTAPI NtOpenFile(HANDLE* file, ACCESS_MASK access, const OBJECT_ATTRIBUTES* attributes,
    IO_STATUS_BLOCK* iosb, ULONG share_access, ULONG options);
NTSTATUS NTAPI NtCreateThreadEx(HANDLE* thread, ACCESS_MASK access,
    const OBJECT_ATTRIBUTES* attributes, HANDLE process, PVOID start, PVOID argument, ULONG flags,
    ULONG_PTR zero_bits, SIZE_T stack_commit, SIZE_T stack_reserve, PVOID attribute_list);
NTSTATUS NTAPI NtSuspendThread(HANDLE thread, ULONG* previous_count);
NTSTATUS NTAPI NtResumeThread(HANDLE thread, ULONG* previous_count);
NTSTATUS NTAPI NtQueryInformationThread(
    HANDLE thread, ULONG info_class, PVOID info, ULONG info_length, ULONG* returned_length);
NTSTATUS NTAPI NtQueryInformationProcess(
    HANDLE process, ULONG info_class, PVOID info, ULONG info_length, ULONG* returned_length);
NTSTATUS NTAPI NtSignalAndWaitForSingleObject(
    HANDLE signal, HANDLE wait, BOOLEAN alertable, const LARGE_INTEGER* timeout);
/// Waits for objects and for messages of the calling thread. `timeout` in ms, 0xFFFFFFFF = for
/// ever; `flags` are MWMO_*. Returns WAIT_*.
DWORD NTAPI NtUserMsgWaitForMultipleObjectsEx(
    DWORD count, const HANDLE* handles, DWORD timeout, DWORD mask, DWORD flags);
// Requests of which only the event matters here.
NTSTATUS NTAPI NtFsControlFile(HANDLE file, HANDLE event, PIO_APC_ROUTINE apc, PVOID apc_context,
    IO_STATUS_BLOCK* iosb, ULONG code, PVOID input, ULONG input_length, PVOID output,
    ULONG output_length);
NTSTATUS NTAPI NtLockFile(HANDLE file, HANDLE event, PIO_APC_ROUTINE apc, PVOID apc_context,
    IO_STATUS_BLOCK* iosb, LARGE_INTEGER* offset, LARGE_INTEGER* length, ULONG* key,
    BOOLEAN at_once, BOOLEAN is_exclusive);
NTSTATUS NTAPI NtQueryDirectoryFile(HANDLE file, HANDLE event, PIO_APC_ROUTINE apc,
    PVOID apc_context, IO_STATUS_BLOCK* iosb, PVOID buffer, ULONG length, ULONG info_class,
    BOOLEAN is_single, UNICODE_STRING* mask, BOOLEAN restarts);
NTSTATUS NTAPI NtNotifyChangeDirectoryFile(HANDLE file, HANDLE event, PIO_APC_ROUTINE apc,
    PVOID apc_context, IO_STATUS_BLOCK* iosb, PVOID buffer, ULONG length, ULONG filter,
    BOOLEAN with_subfolders);
NTSTATUS NTAPI NtNotifyChangeKey(HANDLE key, HANDLE event, PIO_APC_ROUTINE apc, PVOID apc_context,
    IO_STATUS_BLOCK* iosb, ULONG filter, BOOLEAN with_subkeys, PVOID buffer, ULONG length,
    BOOLEAN is_asynchronous);
NTSTATUS NTAPI NtNotifyChangeMultipleKeys(HANDLE key, ULONG count, OBJECT_ATTRIBUTES* attributes,
    HANDLE event, PIO_APC_ROUTINE apc, PVOID apc_context, IO_STATUS_BLOCK* iosb, ULONG filter,
    BOOLEAN with_subkeys, PVOID buffer, ULONG length, BOOLEAN is_asynchronous);
NTSTATUS NTAPI NtReadFileScatter(HANDLE file, HANDLE event, PIO_APC_ROUTINE apc, PVOID apc_context,
    IO_STATUS_BLOCK* iosb, PVOID segments, ULONG length, LARGE_INTEGER* offset, ULONG* key);
NTSTATUS NTAPI NtWriteFileGather(HANDLE file, HANDLE event, PIO_APC_ROUTINE apc, PVOID apc_context,
    IO_STATUS_BLOCK* iosb, PVOID segments, ULONG length, LARGE_INTEGER* offset, ULONG* key);
NTSTATUS NTAPI NtTerminateThread(HANDLE thread, NTSTATUS exit_status);
NTSTATUS NTAPI NtTerminateProcess(HANDLE process, NTSTATUS exit_status);

#else

/// Opens the thread of `process` that comes after `thread` (null: the first).
/// Errors: STATUS_NO_MORE_ENTRIES.
NTSTATUS NTAPI NtGetNextThread(
    HANDLE process, HANDLE thread, ACCESS_MASK access, ULONG attributes, ULONG flags, HANDLE* next);

/// Is the process ending? Its other threads have been stopped then, wherever they were.
BOOLEAN NTAPI RtlDllShutdownInProgress();

#endif

} // extern "C"
