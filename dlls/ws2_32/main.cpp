// The DLL's entry point. It does almost nothing: no waiting, no loading of libraries.
#include "gate.h"
#include "last_thread.h"
#include "poll_request.h"
#include "sdk.h"
#include "service_lookup.h"
#include "socket.h"
#include "statistics.h"
#include "system_file.h"
#include "thread.h"
#include "timeline.h"

/// The program has freed the DLL: what was opened and taken on the way goes back. Nothing here
/// waits, for no thread is in a call any more, and the emulation, whose pump would be, keeps the
/// DLL loaded. Libraries that were loaded late stay: they must not be freed from here.
/// [WSAStartup/12]
static void let_go()
{
    ws2::free_socket_table();
    ws2::close_poll_device();
    ws2::free_system_files();
    ws2::free_service_lookups();
    ws2::thread_detach_process();
    ws2::timeline::let_go();
}

BOOL WINAPI DllMain(HINSTANCE, DWORD reason, void* process_is_ending)
{
    switch (reason) {
    case DLL_PROCESS_ATTACH:
        ws2::gate_attach_process();
        return ws2::thread_attach_process();
    case DLL_THREAD_ATTACH:
        ws2::last_thread::note_begin();
        break;
    case DLL_THREAD_DETACH:
        ws2::timeline::end_thread();
        ws2::thread_detach_thread();
        ws2::last_thread::note_end();
        break;
    case DLL_PROCESS_DETACH:
        ws2::timeline::end_process();
        ws2::statistics::print();
        // At the end of the process the kernel takes everything back.
        if (!process_is_ending)
            let_go();
        break;
    }
    return TRUE;
}
