// The DLL's entry point. It does almost nothing: no waiting, no loading of libraries.
#include "last_thread.h"
#include "sdk.h"
#include "statistics.h"
#include "thread.h"

BOOL WINAPI DllMain(HINSTANCE, DWORD reason, void* process_is_ending)
{
    switch (reason) {
    case DLL_PROCESS_ATTACH:
        return ws2::thread_attach_process();
    case DLL_THREAD_ATTACH:
        ws2::last_thread::note_begin();
        break;
    case DLL_THREAD_DETACH:
        ws2::thread_detach_thread();
        ws2::last_thread::note_end();
        break;
    case DLL_PROCESS_DETACH:
        ws2::statistics::print();
        // At the end of the process the kernel takes everything back.
        if (!process_is_ending)
            ws2::thread_detach_process();
        break;
    }
    return TRUE;
}
