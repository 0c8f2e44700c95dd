#include "emulation.h"

#include <cstdio>
#include <cstring>
#include <cwchar>

#include "environment.h"
#include "kernel.h"
#include "lock.h"
#include "ntke/names.h"
#include "pump.h"
#include "trace.h"

namespace ws2::emulation {

constinit std::atomic<uintptr_t> g_link { kUndecided };

namespace {

SrwLock deciding; // never held in a call to the loader
ntke::Interface g_interface; // written once, under `deciding`, before g_link leads to it

/// Keeps the module that `address` lies in to the end of the process.
bool keep_loaded(const void* address)
{
    HMODULE module;
    return GetModuleHandleExW(
        GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN,
        static_cast<const wchar_t*>(address), &module);
}

/// What ntke.dll tells of its ntke.so.
bool ask_module(HMODULE module, ntke::Interface& link)
{
    const auto get_interface = reinterpret_cast<ntke::GetInterface>(
        reinterpret_cast<void*>(GetProcAddress(module, ntke::kGetInterfaceName)));
    const ntke::Interface* told = get_interface ? get_interface() : nullptr;
    if (!told || told->version != ntke::kInterfaceVersion)
        return false;
    link = *told;
    return true;
}

/// What ntke.so itself exports.
bool find_table(HMODULE module, ntke::Interface& link)
{
    const void* table = reinterpret_cast<void*>(GetProcAddress(module, ntke::kTableName));
    link = { ntke::kInterfaceVersion, reinterpret_cast<uintptr_t>(table), ntke::find_dispatcher() };
    return table && link.dispatcher;
}

/// When a way is gone at all.
enum class If { kAlways, kDllPath, kNoDllPath };

/// A way to ntke.so: a module beside this DLL, and how the call table is had from it.
struct Way {
    If condition;
    const wchar_t* file;
    bool (*find)(HMODULE module, ntke::Interface& link);
};

/// In the order in which they are tried. Where one leads nowhere, the next one may.
constexpr Way kWays[] = {
    // The pair, where the user names a folder with its ntke.so: that one is meant.
    { If::kDllPath, ntke::kPairModule, ask_module },
    // ntke.so itself under the name of a DLL, which Wine loads wherever it lies.
    { If::kAlways, ntke::kUnixModule, find_table },
    // The pair: Wine may know a variable that whoever started the program has not passed on.
    { If::kNoDllPath, ntke::kPairModule, ask_module },
};

bool holds(If condition)
{
    if (condition == If::kAlways)
        return true;
    const bool is_set = GetEnvironmentVariableW(L"WINEDLLPATH", nullptr, 0);
    return is_set == (condition == If::kDllPath);
}

/// Why the process has its kernel, for the trace.
class Reason {
public:
    void be(const char* text) { _snprintf(m_text, kLimit, "%s", text); }
    void add_error(const wchar_t* file, DWORD error)
    {
        const size_t used = std::strlen(m_text);
        _snprintf(m_text + used, kLimit - used, "%s%ls: error %lu", used ? ", " : "", file, error);
    }
    const char* text() const { return m_text; }

private:
    static constexpr size_t kLimit = 200;
    char m_text[kLimit + 1] = {};
};

/// By its full name the loader needs one look to know.
HMODULE load_beside(const wchar_t* file)
{
    HMODULE self;
    wchar_t path[MAX_PATH];
    if (!GetModuleHandleExW(
            GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
            reinterpret_cast<const wchar_t*>(&g_link), &self))
        return nullptr;
    const DWORD limit = static_cast<DWORD>(MAX_PATH - std::wcslen(file));
    const DWORD length = GetModuleFileNameW(self, path, limit);
    wchar_t* slash = length && length < limit ? std::wcsrchr(path, L'\\') : nullptr;
    if (!slash) {
        SetLastError(ERROR_FILENAME_EXCED_RANGE);
        return nullptr;
    }
    std::wcscpy(slash + 1, file);
    return LoadLibraryExW(path, nullptr, 0);
}

enum class End { kOpened, kNowhere, kRefused };

/// Goes one way and opens what is at its end.
End go(const Way& way, ntke::Interface& link, Reason& reason)
{
    const HMODULE module = load_beside(way.file);
    if (!module) {
        reason.add_error(way.file, GetLastError());
        return End::kNowhere;
    }
    // Each part is asked for its version: any may be left over from another build.
    ntke::OpenArgs args = { .version = ntke::kInterfaceVersion,
        .wine_major = static_cast<uint32_t>(kernel::wine_major_version()),
        .pump_start = reinterpret_cast<uintptr_t>(pump::run),
        .relay_start = reinterpret_cast<uintptr_t>(pump::run_relay),
        .why = {} };
    NTSTATUS status = STATUS_REVISION_MISMATCH;
    // The pump's thread runs this DLL's code to the end of the process, once there is one.
    if (way.find(module, link) && keep_loaded(&g_link))
        status = link.dispatcher(link.table, ntke::kCallOpen, &args);
    if (NT_SUCCESS(status)) {
        keep_loaded(module);
        reason.be("ntke is at the system service table");
        return End::kOpened;
    }
    if (*args.why)
        reason.be(args.why);
    else
        reason.add_error(way.file, RtlNtStatusToDosError(status));
    // Wine would load ntke_unix.dll again without its exports; nobody asks for it again.
    FreeLibrary(module);
    return *args.why ? End::kRefused : End::kNowhere;
}

/// Opens ntke; false when the process is to run on the host's kernel.
bool connect(ntke::Interface& link, Reason& reason)
{
    if (!kernel::wine_major_version()) {
        reason.be("this is not Wine");
        return false;
    }
    if (environment_says(L"WS2_32_KERNEL", L"host")) {
        reason.be("WS2_32_KERNEL says so");
        return false;
    }
    for (const Way& way : kWays) {
        if (!holds(way.condition))
            continue;
        if (const End end = go(way, link, reason); end != End::kNowhere)
            return end == End::kOpened;
    }
    return false;
}

/// The first one decides for all. A late one has opened ntke once too often, which does no harm.
bool decide(bool is_ntke, const ntke::Interface& link)
{
    const ExclusiveGuard guard(deciding);
    if (g_link.load(std::memory_order_relaxed) != kUndecided)
        return false;
    g_interface = link;
    g_link.store(
        is_ntke ? reinterpret_cast<uintptr_t>(&g_interface) : kHost, std::memory_order_release);
    return true;
}

} // namespace

void load()
{
    if (g_link.load(std::memory_order_acquire) != kUndecided)
        return;
    const DWORD last_error = GetLastError();
    ntke::Interface link {};
    Reason reason;
    const bool is_ntke = connect(link, reason);
    if (decide(is_ntke, link)) {
        WS2_TRACE(kernel, "%s kernel: %s", is_ntke ? "ntke" : "host", reason.text());
        if (environment_says(L"WS2_32_EVENTS", L"emulated"))
            WS2_TRACE(
                kernel, "WS2_32_EVENTS=emulated has no meaning any more: events are so anyway");
    }
    SetLastError(last_error);
}

} // namespace ws2::emulation
