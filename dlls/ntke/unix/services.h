// The system services that ntke takes under Wine. Each looks its handle up; what ntke does not
// know, or does not serve, goes to the host's own service unchanged.
#pragma once

#include "ke/dispatcher.h"
#include "nt/api.h"
#include "unix/service_table.h"

namespace services {

/// Puts them into the host's table. Returns why not, null: they are there.
const char* take();

/// Takes the wait for messages, once the host has loaded the Linux half of windows; where it cannot
/// be had, all events are the host's from there on. Whoever loads a module closes handles, so this
/// is looked at with each; it costs next to nothing.
void take_message_waits();

/// Sets the event of the process' with this handle. Away: there is none, and nothing has happened.
ke::DispatcherObject::Before set_event_of_process(HANDLE handle);

/// The host has given this value to a new handle: what is attached to it had a close that was not
/// seen.
void forget_stale(HANDLE handle);

/// NtClose, as programs call it.
NTSTATUS close(HANDLE handle);

/// NtDeviceIoControlFile, as programs call it.
NTSTATUS device_io_control(HANDLE handle, HANDLE event, PIO_APC_ROUTINE apc, PVOID apc_context,
    IO_STATUS_BLOCK* iosb, ULONG code, PVOID input, ULONG input_length, PVOID output,
    ULONG output_length);

// The families, each a list of rows that its own file makes.
struct Rows {
    const service_table::Row* list;
    uint32_t count;
};
Rows handle_services();
Rows event_services();
Rows file_name_services();
Rows file_services();
Rows port_services();
Rows thread_services();
Rows wait_services();

} // namespace services
