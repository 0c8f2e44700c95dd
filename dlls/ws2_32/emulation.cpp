#include "emulation.h"

#include <cstdio>
#include <cstring>
#include <cwchar>
#include <iterator>

#include "environment.h"
#include "kernel.h"
#include "lock.h"
#include "pump.h"
#include "trace.h"
#include "ways.h"

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

/// The full name of a file beside this DLL, or null.
const wchar_t* name_beside(const wchar_t* file, wchar_t (&path)[MAX_PATH])
{
    HMODULE self;
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
    return path;
}

/// The full name of a file in the folder of the 64-bit DLLs, as 32-bit programs call it, or null.
const wchar_t* name_of_64_bit(const wchar_t* file, wchar_t (&path)[MAX_PATH])
{
    constexpr wchar_t kFolder[] = L"\\sysnative\\";
    const DWORD limit = static_cast<DWORD>(MAX_PATH - std::wcslen(file) - std::size(kFolder));
    const DWORD length = GetWindowsDirectoryW(path, limit);
    if (!length || length >= limit) {
        SetLastError(ERROR_FILENAME_EXCED_RANGE);
        return nullptr;
    }
    std::wcscpy(path + length, kFolder);
    return std::wcscat(path, file);
}

/// What lies at the beginning of a way: a module, but for Linux files.
struct Found {
    HMODULE module;
    ntke::Interface link;
};

/// Has Wine load a Linux file. It stays to the end of the process.
NTSTATUS load_linux_file(const wchar_t* path, ntke::Interface& link)
{
    constexpr ULONG kLoadLinuxFile = 1002;
    UNICODE_STRING name;
    if (!RtlDosPathNameToNtPathName_U(path, &name, nullptr, nullptr))
        return STATUS_OBJECT_PATH_NOT_FOUND;
    NTSTATUS status = STATUS_NOT_SUPPORTED; // by a host that has answered something else
    const uint64_t table = find_table_of_file([&](LinuxFile& answer) {
        const NTSTATUS told = NtQueryVirtualMemory(
            GetCurrentProcess(), &name, kLoadLinuxFile, &answer, sizeof(answer), nullptr);
        if (!NT_SUCCESS(told))
            status = told;
        return told;
    });
    RtlFreeUnicodeString(&name);
    link = { ntke::kInterfaceVersion, table, ntke::find_dispatcher() };
    return table && link.dispatcher ? STATUS_SUCCESS : status;
}

/// Finds the call table at the end of a way; false, with the last error, when there is none.
bool find(const Way& way, Found& found)
{
    wchar_t buffer[MAX_PATH];
    const wchar_t* path = way.place == Place::kBesideDll ? name_beside(way.file, buffer)
                                                         : name_of_64_bit(way.file, buffer);
    if (!path)
        return false;
    if (way.kind == Kind::kLinuxFile) {
        const NTSTATUS status = load_linux_file(path, found.link);
        if (!NT_SUCCESS(status))
            SetLastError(RtlNtStatusToDosError(status));
        return NT_SUCCESS(status);
    }
    // By its full name the loader needs one look to know.
    found.module = LoadLibraryExW(path, nullptr, 0);
    if (!found.module)
        return false;
    if (way.kind == Kind::kPair ? ask_module(found.module, found.link)
                                : find_table(found.module, found.link))
        return true;
    FreeLibrary(found.module);
    SetLastError(RtlNtStatusToDosError(STATUS_REVISION_MISMATCH));
    return false;
}

/// Goes one way and opens what is at its end.
End go(const Way& way, ntke::Interface& link, Reason& reason)
{
    Found found {};
    if (!find(way, found)) {
        reason.add_error(way.file, GetLastError());
        return End::kNowhere;
    }
    // Each part is asked for its version: any may be left over from another build.
    ntke::OpenArgs args = { .version = ntke::kInterfaceVersion,
        .wine_major = static_cast<uint32_t>(kernel::wine_version().major),
        .pump_start = reinterpret_cast<uintptr_t>(pump::run),
        .relay_start = reinterpret_cast<uintptr_t>(pump::run_relay),
        .why = {} };
    NTSTATUS status = STATUS_REVISION_MISMATCH;
    // The pump's thread runs this DLL's code to the end of the process, once there is one.
    if (keep_loaded(&g_link))
        status = found.link.dispatcher(found.link.table, ntke::kCallOpen, &args);
    if (NT_SUCCESS(status)) {
        if (found.module)
            keep_loaded(found.module);
        link = found.link;
        reason.be("ntke is at the system service table");
        return End::kOpened;
    }
    if (*args.why)
        reason.be(args.why);
    else
        reason.add_error(way.file, RtlNtStatusToDosError(status));
    // Wine would load ntke_unix.dll again without its exports; nobody asks for it again.
    if (found.module)
        FreeLibrary(found.module);
    return *args.why ? End::kRefused : End::kNowhere;
}

/// What decides which ways there are.
Surroundings look_around()
{
    return { kernel::wine_version(), GetEnvironmentVariableW(L"WINEDLLPATH", nullptr, 0) != 0,
        sizeof(void*) == sizeof(uint32_t) };
}

/// Opens ntke; false when the process is to run on the host's kernel.
bool connect(ntke::Interface& link, Reason& reason)
{
    const Surroundings here = look_around();
    if (!here.version.major) {
        reason.be("this is not Wine");
        return false;
    }
    if (environment_says(L"WS2_32_KERNEL", L"host")) {
        reason.be("WS2_32_KERNEL says so");
        return false;
    }
    return find_way(here, [&](const Way& way) { return go(way, link, reason); });
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
