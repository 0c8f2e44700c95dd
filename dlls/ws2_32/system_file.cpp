#include "system_file.h"

#include <atomic>
#include <cwchar>

#include "heap.h"

namespace ws2 {

template <typename Char> static unsigned folded(Char c)
{
    return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : static_cast<std::make_unsigned_t<Char>>(c);
}

template <typename Char> static bool equals_folded(const TableLine::Word& word, const Char* other)
{
    for (int i = 0; i < word.length; ++i) {
        if (folded(word.text[i]) != folded(other[i])) // Also ends at the terminator of `other`.
            return false;
    }
    return !other[word.length];
}

bool TableLine::Word::equals(const char* other) const
{
    return equals_folded(*this, other);
}

bool TableLine::Word::equals(const wchar_t* other) const
{
    return equals_folded(*this, other);
}

void SystemFile::path(wchar_t (&buffer)[MAX_PATH + 16]) const
{
    if (m_place == Place::kUnix) {
        std::wcscpy(buffer, L"\\\\?\\unix\\etc\\");
    } else {
        const UINT length = GetSystemDirectoryW(buffer, MAX_PATH - 32);
        std::wcscpy(buffer + (length < MAX_PATH - 32 ? length : 0), L"\\drivers\\etc\\");
    }
    std::wcscat(buffer, m_name);
}

/// Every table that has been read. It only grows.
static std::atomic<SystemFile*> read_files { nullptr };

void free_system_files()
{
    for (SystemFile* file = read_files.load(); file; file = file->m_next_read)
        heap_free(std::exchange(file->m_text, nullptr));
}

/// Takes the text of the file. A file that cannot be read is an empty table.
void SystemFile::load(const wchar_t* path, const Stamp& stamp)
{
    constexpr DWORD kMaxSize = 16 << 20;

    m_stamp = stamp;
    if (!std::exchange(m_loaded, true)) {
        m_next_read = read_files.load(std::memory_order_relaxed);
        while (!read_files.compare_exchange_weak(m_next_read, this)) { }
    }
    heap_free(std::exchange(m_text, nullptr));
    if (!stamp.size || stamp.size > kMaxSize)
        return;
    const HANDLE file = CreateFileW(path, GENERIC_READ,
        FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr, OPEN_EXISTING, 0, nullptr);
    if (file == INVALID_HANDLE_VALUE)
        return;
    auto* text = static_cast<char*>(heap_allocate(stamp.size + 1));
    DWORD read = 0;
    if (text && ReadFile(file, text, stamp.size, &read, nullptr)) {
        text[read] = 0;
        m_text = std::exchange(text, nullptr);
    }
    heap_free(text);
    CloseHandle(file);
}

/// Asking for the attributes is cheap (under Wine it never leaves the process), so every reader
/// sees the file as it is now.
void SystemFile::refresh()
{
    wchar_t file_path[MAX_PATH + 16];
    path(file_path);
    WIN32_FILE_ATTRIBUTE_DATA attributes;
    Stamp stamp = {};
    if (GetFileAttributesExW(file_path, GetFileExInfoStandard, &attributes))
        stamp = { attributes.ftLastWriteTime, attributes.nFileSizeLow };

    const auto is_current = [&] {
        return m_loaded && stamp.size == m_stamp.size
            && !CompareFileTime(&stamp.written, &m_stamp.written);
    };
    {
        SharedGuard guard(m_lock);
        if (is_current())
            return;
    }
    ExclusiveGuard guard(m_lock);
    if (!is_current())
        load(file_path, stamp);
}

SystemFile::Reader::Reader(SystemFile& file)
    : m_file(file)
{
    const DWORD last_error = GetLastError();
    file.refresh();
    SetLastError(last_error);
    file.m_lock.acquire_shared();
    m_position = file.m_text ? file.m_text : "";
}

bool SystemFile::Reader::next(TableLine& line)
{
    const auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
    const auto ends_word = [&](char c) { return !c || c == '\n' || c == '#' || is_blank(c); };

    line.count = 0;
    const char* p = m_position;
    while (*p && !line.count) {
        while (*p && *p != '\n' && *p != '#') {
            if (is_blank(*p)) {
                ++p;
                continue;
            }
            const char* start = p;
            while (!ends_word(*p))
                ++p;
            if (line.count < TableLine::kMaxWords)
                line.words[line.count++] = { start, static_cast<int>(p - start) };
        }
        while (*p && *p != '\n')
            ++p;
        if (*p)
            ++p;
    }
    m_position = p;
    return line.count;
}

} // namespace ws2
