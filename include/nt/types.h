// The NT base types both halves of the project speak.
//
// On Windows (the PE build) the SDK's own definitions are used. The native build has no SDK, so the
// slice of it that the kernel object emulation needs is defined here with the sizes Windows gives
// the types: LONG and ULONG are 32 bits wide although Linux' long is not.
#pragma once

#ifdef _WIN32

#ifndef WIN32_NO_STATUS
#error "Build with -DWIN32_NO_STATUS: nt/status.h is where the status codes come from."
#endif
#include <winsock2.h>
#include <windows.h>
#include <winternl.h>

#else

#include <cstddef>
#include <cstdint>

using BOOL = int32_t;
using BOOLEAN = uint8_t;
using UCHAR = uint8_t;
using SHORT = int16_t;
using USHORT = uint16_t;
using INT = int32_t;
using UINT = uint32_t;
using LONG = int32_t;
using ULONG = uint32_t;
using DWORD = uint32_t;
using LONGLONG = int64_t;
using ULONGLONG = uint64_t;
using ULONG_PTR = uintptr_t;
using SIZE_T = size_t;
using NTSTATUS = int32_t;
using ACCESS_MASK = uint32_t;
using WCHAR = char16_t;
using HANDLE = void*;
using PVOID = void*;

#define VOID void
#define NTAPI
#define TRUE 1
#define FALSE 0
#define NT_SUCCESS(status) (static_cast<NTSTATUS>(status) >= 0)

union LARGE_INTEGER {
    struct {
        ULONG LowPart;
        LONG HighPart;
    };
    LONGLONG QuadPart;
};

struct UNICODE_STRING {
    USHORT Length; // bytes, without a terminator
    USHORT MaximumLength; // bytes
    WCHAR* Buffer;
};

struct OBJECT_ATTRIBUTES {
    ULONG Length; // sizeof(OBJECT_ATTRIBUTES)
    HANDLE RootDirectory;
    UNICODE_STRING* ObjectName;
    ULONG Attributes; // OBJ_*
    PVOID SecurityDescriptor;
    PVOID SecurityQualityOfService;
};

struct IO_STATUS_BLOCK {
    union {
        NTSTATUS Status;
        PVOID Pointer;
    };
    ULONG_PTR Information;
};

using PIO_APC_ROUTINE = void(NTAPI*)(PVOID context, IO_STATUS_BLOCK* iosb, ULONG reserved);

#define OBJ_INHERIT 0x00000002u

#define DELETE 0x00010000u
#define READ_CONTROL 0x00020000u
#define WRITE_DAC 0x00040000u
#define WRITE_OWNER 0x00080000u
#define SYNCHRONIZE 0x00100000u
#define STANDARD_RIGHTS_REQUIRED 0x000F0000u
#define GENERIC_ALL 0x10000000u
#define GENERIC_EXECUTE 0x20000000u
#define GENERIC_WRITE 0x40000000u
#define GENERIC_READ 0x80000000u
#define MAXIMUM_ALLOWED 0x02000000u

#define EVENT_MODIFY_STATE 0x0002u
#define EVENT_ALL_ACCESS (STANDARD_RIGHTS_REQUIRED | SYNCHRONIZE | 0x3u)

#define DUPLICATE_CLOSE_SOURCE 0x00000001u
#define DUPLICATE_SAME_ACCESS 0x00000002u
#define HANDLE_FLAG_INHERIT 0x00000001u
#define HANDLE_FLAG_PROTECT_FROM_CLOSE 0x00000002u

#define MAXIMUM_WAIT_OBJECTS 64

#define FILE_OPEN_IF 0x00000003u
#define FILE_SYNCHRONOUS_IO_ALERT 0x00000010u
#define FILE_SYNCHRONOUS_IO_NONALERT 0x00000020u

#endif

// What neither the SDK nor the native slice above names.

/// The kind of an event. Counterpart: EVENT_TYPE.
enum EventType : ULONG {
    kNotificationEvent = 0, // manual reset
    kSynchronizationEvent = 1, // auto reset
};

/// Counterpart: WAIT_TYPE of NtWaitForMultipleObjects. (WaitAll is 0, unlike Win32's BOOL.)
enum WaitType : ULONG {
    kWaitAll = 0,
    kWaitAny = 1,
};

#ifndef EVENT_QUERY_STATE
#define EVENT_QUERY_STATE 0x0001u
#endif
#ifndef OBJ_CASE_INSENSITIVE
#define OBJ_CASE_INSENSITIVE 0x00000040u
#endif
#ifndef DUPLICATE_SAME_ATTRIBUTES
#define DUPLICATE_SAME_ATTRIBUTES 0x00000004u
#endif
