#include "emulation.h"

#include <cwchar>
#include <iterator>

#include "environment.h"
#include "kernel.h"
#include "pump.h"
#include "trace.h"

namespace ws2::emulation {

#ifdef _WIN64

constinit std::atomic<uintptr_t> g_link { kUndecided };

namespace {

/// The pump's thread runs this module's code to the end of the process, once there is one.
bool stay_loaded()
{
    HMODULE self;
    return GetModuleHandleExW(
        GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN,
        reinterpret_cast<const wchar_t*>(&g_link), &self);
}

/// ntke.dll lies beside this DLL or nowhere: by its full name the loader needs one look to know.
HMODULE load_module()
{
    constexpr wchar_t kName[] = L"ntke.dll";
    constexpr DWORD kLimit = MAX_PATH - std::size(kName);

    HMODULE self;
    wchar_t path[MAX_PATH];
    if (!GetModuleHandleExW(
            GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
            reinterpret_cast<const wchar_t*>(&g_link), &self))
        return nullptr;
    const DWORD length = GetModuleFileNameW(self, path, kLimit);
    wchar_t* slash = length && length < kLimit ? std::wcsrchr(path, L'\\') : nullptr;
    if (!slash)
        return nullptr;
    std::wcscpy(slash + 1, kName);
    return LoadLibraryExW(path, nullptr, 0);
}

/// Finds the other half and opens it. Otherwise returns kHost with the reason in `why`.
uintptr_t connect(const char*& why)
{
    const int wine = kernel::wine_major_version();
    if (!wine) {
        why = "this is not Wine";
        return kHost;
    }
    if (environment_says(L"WS2_32_KERNEL", L"host")) {
        why = "WS2_32_KERNEL says so";
        return kHost;
    }
    const HMODULE module = load_module();
    if (!module) {
        why = "ntke.dll or its ntke.so cannot be loaded";
        return kHost;
    }
    const auto get_interface = reinterpret_cast<ntke::GetInterface>(
        reinterpret_cast<void*>(GetProcAddress(module, ntke::kGetInterfaceName)));
    const ntke::Interface* link = get_interface ? get_interface() : nullptr;
    // Both halves are asked: either may be left over from another build.
    ntke::OpenArgs args = { .version = ntke::kInterfaceVersion,
        .wine_major = static_cast<uint32_t>(wine),
        .relay_start = reinterpret_cast<uint64_t>(pump::run_relay),
        .why = 0 };
    if (link && link->version == ntke::kInterfaceVersion && stay_loaded()
        && NT_SUCCESS(link->dispatcher(link->table, ntke::kCallOpen, &args))) {
        why = "ntke is at the system service table";
        return reinterpret_cast<uintptr_t>(link);
    }
    FreeLibrary(module);
    why = args.why ? reinterpret_cast<const char*>(args.why)
                   : "ntke.dll or ntke.so is of another version";
    return kHost;
}

} // namespace

void load()
{
    if (g_link.load(std::memory_order_acquire) != kUndecided)
        return;
    const DWORD last_error = GetLastError();
    const char* why;
    const uintptr_t link = connect(why);
    // The first one decides for all. A late one has opened ntke once too often and keeps a
    // reference to the module; neither does harm.
    uintptr_t expected = kUndecided;
    if (g_link.compare_exchange_strong(expected, link))
        WS2_TRACE(kernel, "%s kernel: %s", link == kHost ? "host" : "ntke", why);
    SetLastError(last_error);
}

#else

void load()
{
    static std::atomic_flag told;
    if (!told.test_and_set())
        WS2_TRACE(kernel, "host kernel: 32-bit programs have no other");
}

#endif

} // namespace ws2::emulation
