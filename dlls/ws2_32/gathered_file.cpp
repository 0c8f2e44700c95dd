#include "gathered_file.h"

#include "guard.h"
#include "heap.h"

namespace ws2 {

static HANDLE open_temporary_file()
{
    wchar_t folder[MAX_PATH + 1];
    wchar_t name[MAX_PATH + 1];
    if (!GetTempPathW(MAX_PATH, folder) || !GetTempFileNameW(folder, L"ws2", 0, name))
        return INVALID_HANDLE_VALUE;
    return CreateFileW(name, GENERIC_READ | GENERIC_WRITE | DELETE, 0, nullptr, CREATE_ALWAYS,
        FILE_ATTRIBUTE_TEMPORARY | FILE_FLAG_DELETE_ON_CLOSE, nullptr);
}

GatheredFile* new_gathered_file()
{
    auto* const file = static_cast<GatheredFile*>(heap_allocate(sizeof(GatheredFile)));
    if (!file)
        return nullptr;
    *file = { nullptr, open_temporary_file(), nullptr };
    if (file->handle != INVALID_HANDLE_VALUE)
        return file;
    heap_free(file);
    return nullptr;
}

void free_gathered_file(GatheredFile* file)
{
    CloseHandle(file->handle);
    heap_free(file);
}

void GatheredFiles::keep(GatheredFile* file)
{
    file->next = m_first.load(std::memory_order_relaxed);
    while (!m_first.compare_exchange_weak(file->next, file, std::memory_order_release)) { }
}

void GatheredFiles::free_ended()
{
    GatheredFile* file = m_first.exchange(nullptr, std::memory_order_acquire);
    while (file) {
        GatheredFile* const next = file->next;
        ULONG_PTR status = 0; // bad memory is nobody's request
        if (guard::read(&file->overlapped->Internal, status) && status == STATUS_PENDING)
            keep(file);
        else
            free_gathered_file(file);
        file = next;
    }
}

void GatheredFiles::free_all()
{
    GatheredFile* file = m_first.exchange(nullptr, std::memory_order_acquire);
    while (file) {
        GatheredFile* const next = file->next;
        free_gathered_file(file);
        file = next;
    }
}

} // namespace ws2
