#include "unix/service_table.h"

#include <atomic>
#include <cstring>

#include <link.h>
#include <sys/mman.h>

#include "ke/lock.h"
#include "ob/handle_table.h"
#include "unix/host_services.h"

namespace service_table {

namespace {

/// Counterpart: KSERVICE_TABLE_DESCRIPTOR. The host's first one is ntdll's; a number is an index in
/// `services`.
struct Descriptor {
    void** services;
    uintptr_t* counters;
    uintptr_t limit; // services there are
    uint8_t* argument_bytes;
};

/// Bounds for what is taken for a table: the known versions have some 240 services.
constexpr uintptr_t kFewestServices = 150;
constexpr uintptr_t kMostServices = 2000;

/// A table that has a copy in its place. Written once.
struct Taken {
    std::atomic<void**>* services = nullptr; // the descriptor's first field
    void** of_host = nullptr;
};
ke::Lock g_lock; // held while that of windows is taken
Descriptor* g_descriptor = nullptr; // the first of the host's; the next one is that of windows
std::atomic<bool> g_has_descriptor { false };
Taken g_of_kernel;
Taken g_of_windows;
std::atomic<bool> g_is_of_windows_tried { false };

/// A writable segment of the host's Linux half: its data are there.
struct Segment {
    uintptr_t begin;
    uintptr_t end;
};
struct Segments {
    static constexpr int kMost = 8;
    Segment list[kMost];
    int count = 0;

    bool contains(const void* address, uintptr_t bytes) const
    {
        const auto begin = reinterpret_cast<uintptr_t>(address);
        for (int i = 0; i < count; ++i) {
            if (begin >= list[i].begin && begin <= list[i].end && bytes <= list[i].end - begin)
                return true;
        }
        return false;
    }
};

int collect_segments(dl_phdr_info* info, size_t, void* context)
{
    auto& segments = *static_cast<Segments*>(context);
    const char* slash = info->dlpi_name ? strrchr(info->dlpi_name, '/') : nullptr;
    if (!slash || strcmp(slash, "/ntdll.so"))
        return 0;
    for (int i = 0; i < info->dlpi_phnum && segments.count < Segments::kMost; ++i) {
        const auto& header = info->dlpi_phdr[i];
        if (header.p_type != PT_LOAD || !(header.p_flags & PF_W))
            continue;
        const uintptr_t begin = info->dlpi_addr + header.p_vaddr;
        segments.list[segments.count++] = { begin, begin + header.p_memsz };
    }
    return 1;
}

/// The number of a service in a table; `limit` when it is not there, or there twice.
uintptr_t number_of(void* const* services, uintptr_t limit, const void* service)
{
    uintptr_t number = limit;
    for (uintptr_t i = 0; i < limit; ++i) {
        if (services[i] != service)
            continue;
        if (number != limit)
            return limit;
        number = i;
    }
    return number;
}

/// Is this a descriptor whose table has each of the services? The table may lie in memory that is
/// only read (`relro`), so it is not asked whether that is writable, only whether it is the
/// library's.
bool is_descriptor(
    const Descriptor& candidate, const Segments& segments, const Row* rows, uint32_t count)
{
    if (candidate.limit < kFewestServices || candidate.limit > kMostServices)
        return false;
    if (reinterpret_cast<uintptr_t>(candidate.services) % sizeof(void*)
        || !segments.contains(candidate.services, candidate.limit * sizeof(void*)))
        return false;
    for (uint32_t i = 0; i < count; ++i) {
        const void* service = host::find_function(rows[i].name);
        if (!service || number_of(candidate.services, candidate.limit, service) == candidate.limit)
            return false;
    }
    return true;
}

Descriptor* find_descriptor(const Segments& segments, const Row* rows, uint32_t count)
{
    Descriptor* found = nullptr;
    for (int i = 0; i < segments.count; ++i) {
        constexpr uintptr_t kStep = alignof(Descriptor);
        uintptr_t place = (segments.list[i].begin + kStep - 1) / kStep * kStep;
        for (; place + sizeof(Descriptor) <= segments.list[i].end; place += kStep) {
            auto* candidate = reinterpret_cast<Descriptor*>(place);
            if (!is_descriptor(*candidate, segments, rows, count))
                continue;
            if (found)
                return nullptr; // which of them is in use?
            found = candidate;
        }
    }
    return found;
}

/// Puts a copy with the rows into the place of a table. False: there is no memory.
bool replace(Descriptor& descriptor, const Row* rows, uint32_t count, Taken& taken)
{
    const uintptr_t bytes = descriptor.limit * sizeof(void*);
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    auto** copy = static_cast<void**>(memory);
    memcpy(copy, descriptor.services, bytes);
    for (uint32_t i = 0; i < count; ++i) {
        const uintptr_t number
            = number_of(copy, descriptor.limit, host::find_function(rows[i].name));
        copy[number] = host::g_convention == host::Convention::Windows ? rows[i].windows
                                                                       : rows[i].linux_code;
    }
    taken.of_host = descriptor.services;
    taken.services = reinterpret_cast<std::atomic<void**>*>(&descriptor.services);
    taken.services->store(copy, std::memory_order_release);
    return true;
}

void put_back(const Taken& taken)
{
    if (taken.services)
        taken.services->store(taken.of_host, std::memory_order_release);
}

} // namespace

const char* take(const Row* rows, uint32_t count)
{
    Segments segments;
    dl_iterate_phdr(collect_segments, &segments);
    if (!segments.count)
        return "the host's ntdll.so is not loaded";
    Descriptor* descriptor = find_descriptor(segments, rows, count);
    if (!descriptor)
        return "the host's service table is not found";
    if (!replace(*descriptor, rows, count, g_of_kernel))
        return "no memory for a service table";
    g_descriptor = descriptor;
    g_has_descriptor.store(true, std::memory_order_release);
    return nullptr;
}

bool has_new_one_of_windows()
{
    return g_has_descriptor.load(std::memory_order_acquire)
        && !g_is_of_windows_tried.load(std::memory_order_acquire)
        && __atomic_load_n(&g_descriptor[1].services, __ATOMIC_ACQUIRE)
        && __atomic_load_n(&g_descriptor[1].limit, __ATOMIC_ACQUIRE);
}

bool take_of_windows(const Row& row)
{
    ke::LockGuard guard(g_lock);
    if (g_is_of_windows_tried.load(std::memory_order_relaxed))
        return g_of_windows.services;
    Descriptor& descriptor = g_descriptor[1];
    const void* service = host::find_function(row.name);
    const bool is_taken = service && descriptor.limit >= kFewestServices
        && descriptor.limit <= kMostServices
        && number_of(descriptor.services, descriptor.limit, service) != descriptor.limit
        && replace(descriptor, &row, 1, g_of_windows);
    g_is_of_windows_tried.store(true, std::memory_order_release);
    return is_taken;
}

void give_back()
{
    put_back(g_of_windows);
    put_back(g_of_kernel);
}

bool is_known(uint64_t handle)
{
    const ob::ReadSection section;
    return ob::HandleTable::current()
        .find(section, reinterpret_cast<HANDLE>(static_cast<uintptr_t>(handle)))
        .object;
}

bool is_taken()
{
    return g_of_kernel.services
        && g_of_kernel.services->load(std::memory_order_relaxed) != g_of_kernel.of_host;
}

} // namespace service_table
