#include "timeline.h"

#include <cstdio>
#include <cstring>
#include <cwchar>
#include <iterator>
#include <utility>

#include "call_shape.h"
#include "emulation.h"
#include "guard.h"
#include "lock.h"
#include "thread.h"

extern "C" PEB* NTAPI RtlGetCurrentPeb();

namespace ws2::timeline {

namespace {

constexpr const wchar_t* kVariable = L"WS2_32_TRACE";
Header* g_header = nullptr; // written once, before the gate lets anybody look

Anchor anchor_now()
{
    FILETIME time;
    GetSystemTimePreciseAsFileTime(&time);
    return { now(), uint64_t { time.dwHighDateTime } << 32 | time.dwLowDateTime };
}

/// Keeps the two clocks together. The last moment counts that the process lives to see.
void renew_anchor(uint64_t ticks)
{
    constexpr uint64_t kPeriod = uint64_t { 1 } << 27; // some 50 ms
    static SrwLock renewing;
    if (ticks - g_header->anchors[1].ticks < kPeriod || !renewing.try_acquire_exclusive())
        return;
    g_header->anchors[1] = anchor_now();
    renewing.release_exclusive();
}

/// Maps a new file of that many entries; null: it cannot be made.
Header* map_file(const wchar_t* path, uint32_t entries_per_ring)
{
    const uint64_t size = Header::file_size(entries_per_ring);
    const HANDLE file = CreateFileW(path, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ, nullptr,
        CREATE_ALWAYS, FILE_ATTRIBUTE_NORMAL, nullptr);
    if (file == INVALID_HANDLE_VALUE)
        return nullptr;
    const HANDLE section = CreateFileMappingW(file, nullptr, PAGE_READWRITE,
        static_cast<DWORD>(size >> 32), static_cast<DWORD>(size), nullptr);
    void* view = section ? MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0) : nullptr;
    if (section)
        CloseHandle(section);
    CloseHandle(file);
    auto* header = static_cast<Header*>(view);
    if (header)
        header->entries_per_ring = entries_per_ring;
    return header;
}

/// How many entries a thread keeps: WS2_32_TRACE_ENTRIES, made a power of two.
uint32_t wanted_entries()
{
    wchar_t text[16];
    const DWORD length = GetEnvironmentVariableW(L"WS2_32_TRACE_ENTRIES", text, std::size(text));
    const unsigned long wanted
        = length && length < std::size(text) ? std::wcstoul(text, nullptr, 10) : 0;
    constexpr uint32_t kMost = sizeof(void*) == 8 ? 1u << 20 : 1u << 14; // the address space
    uint32_t entries = 1u << 6;
    while (entries < kMost && entries < (wanted ? wanted : 1u << 14))
        entries *= 2;
    return entries;
}

/// As many of them as the disk has room for, twice over: a full disk would end the program with the
/// next entry. 0: not even few.
uint32_t fitting_entries(const wchar_t* path, uint32_t wanted)
{
    wchar_t folder[MAX_PATH];
    std::wcsncpy(folder, path, MAX_PATH - 1);
    folder[MAX_PATH - 1] = 0;
    wchar_t* end = folder;
    for (wchar_t* at = folder; *at; ++at) {
        if (*at == L'\\' || *at == L'/')
            end = at + 1;
    }
    *end = 0;
    ULARGE_INTEGER room;
    if (!GetDiskFreeSpaceExW(*folder ? folder : nullptr, &room, nullptr, nullptr))
        return wanted;
    constexpr uint32_t kFewest = 1u << 6;
    while (wanted >= kFewest && Header::file_size(wanted) > room.QuadPart / 2)
        wanted /= 2;
    return wanted >= kFewest ? wanted : 0;
}

/// The calling thread's ring; ntke may have given it one before.
Ring* ring_of(Thread& thread)
{
    if (thread.is_ring_told || thread.is_ring_lost) [[likely]]
        return thread.ring;
    if (!emulation::is_on()) {
        if (!thread.ring)
            thread.ring = take_ring(*g_header, GetCurrentThreadId());
        thread.is_ring_lost = !thread.ring;
        return thread.ring;
    }
    ntke::RecordArgs args { .header = afd::ptr64(g_header),
        .ring = afd::ptr64(thread.ring),
        .thread = GetCurrentThreadId(),
        .padding = 0 };
    emulation::call(ntke::kCallRecord, &args);
    auto* const ring = reinterpret_cast<Ring*>(static_cast<uintptr_t>(args.ring));
    if (thread.ring && thread.ring != ring)
        leave_ring(*thread.ring);
    thread.ring = ring;
    thread.is_ring_told = true;
    g_header->is_on_ntke = 1;
    return ring;
}

/// The name of the file that is mapped at an address, without asking the loader.
void read_path(const void* base, Module& module)
{
    constexpr ULONG kMappedFileName = 2; // MemoryMappedFilenameInformation
    struct {
        UNICODE_STRING name;
        wchar_t text[MAX_PATH];
    } found {};
    if (!NT_SUCCESS(NtQueryVirtualMemory(GetCurrentProcess(), const_cast<void*>(base),
            kMappedFileName, &found, sizeof(found), nullptr)))
        return;
    const size_t length = found.name.Length / sizeof(wchar_t);
    const size_t limit = sizeof(module.path) - 1;
    const wchar_t* const end = found.name.Buffer + length;
    const size_t used = length < limit ? length : limit;
    for (size_t i = 0; i < used; ++i)
        module.path[i] = static_cast<char>(end[i - used]);
}

uint64_t size_of_image(const void* base)
{
    IMAGE_DOS_HEADER dos;
    IMAGE_NT_HEADERS headers;
    const auto* bytes = static_cast<const char*>(base);
    if (!guard::copy(&dos, bytes, sizeof(dos))
        || !guard::copy(&headers, bytes + dos.e_lfanew, sizeof(headers)))
        return 0;
    return headers.OptionalHeader.SizeOfImage;
}

} // namespace

bool is_wanted()
{
    return GetEnvironmentVariableW(kVariable, nullptr, 0);
}

bool start()
{
    wchar_t name[MAX_PATH];
    constexpr DWORD kLimit = MAX_PATH - 32;
    const DWORD length = GetEnvironmentVariableW(kVariable, name, kLimit);
    if (!length || length >= kLimit)
        return false;
    // The number of a process that has ended is soon another's.
    _snwprintf(
        name + length, MAX_PATH - length, L".%lu-%I64x", GetCurrentProcessId(), anchor_now().time);
    const uint32_t entries = fitting_entries(name, wanted_entries());
    Header* const header = entries ? map_file(name, entries) : nullptr;
    if (!header)
        return false;
    header->process = GetCurrentProcessId();
    // Not by a function of the loader, which would wait for its lock.
    const UNICODE_STRING& program = RtlGetCurrentPeb()->ProcessParameters->ImagePathName;
    WideCharToMultiByte(CP_UTF8, 0, program.Buffer, program.Length / sizeof(wchar_t),
        header->program, sizeof(header->program) - 1, nullptr, nullptr);
    for (uint32_t gate = 0; gate < kGateCount; ++gate)
        add_name(*header, kGateNames[gate]);
    header->anchors[0] = anchor_now();
    do
        header->anchors[1] = anchor_now();
    while (header->anchors[1].time - header->anchors[0].time < 10'000); // 1 ms tells the rate
    std::memcpy(header->magic, kMagic, sizeof(kMagic));
    g_header = header;
    return true;
}

Entry* note(Kind kind, uint16_t name, uint64_t subject)
{
    Thread* const thread = g_header ? Thread::current() : nullptr;
    Ring* const ring = thread ? ring_of(*thread) : nullptr;
    if (!ring)
        return nullptr;
    Entry& entry = next_entry(*g_header, *ring, kind, name, subject);
    renew_anchor(entry.time);
    return &entry;
}

void note_text(Kind kind, uint16_t name, uint64_t subject, const char* text)
{
    if (Entry* entry = note(kind, name, subject))
        std::strncpy(entry->text, text, sizeof(entry->text));
}

void note_module(const void* address)
{
    const auto value = reinterpret_cast<uintptr_t>(address);
    const uint32_t used = g_header->modules_used.load(std::memory_order_acquire);
    for (uint32_t i = 0; i < used && i < kModules; ++i) {
        const Module& module = g_header->modules[i];
        if (value - module.base < module.size)
            return;
    }
    const DWORD last_error = GetLastError();
    MEMORY_BASIC_INFORMATION memory;
    if (used < kModules && VirtualQuery(address, &memory, sizeof(memory))
        && memory.Type == MEM_IMAGE) {
        const uint32_t index = g_header->modules_used.fetch_add(1, std::memory_order_acq_rel);
        if (index < kModules) {
            Module& module = g_header->modules[index];
            read_path(memory.AllocationBase, module);
            module.base = reinterpret_cast<uintptr_t>(memory.AllocationBase);
            module.size = size_of_image(memory.AllocationBase);
        }
    }
    SetLastError(last_error);
}

void end_thread()
{
    Thread* const thread = g_header ? Thread::current() : nullptr;
    // What ntke knows of it ends when ntke has seen the last of the thread.
    if (thread && thread->ring && !thread->is_ring_told)
        leave_ring(*thread->ring);
}

void end_process()
{
    if (!g_header)
        return;
    g_header->has_ended = 1;
    g_header->anchors[1] = anchor_now();
}

void let_go()
{
    // Where ntke writes to it, too, nobody gets here: it keeps the DLL loaded.
    if (Header* const header = std::exchange(g_header, nullptr))
        UnmapViewOfFile(header);
}

} // namespace ws2::timeline
