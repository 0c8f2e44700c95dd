// The text tables of a system: hosts, services, protocol. Read once, again when they change.
#pragma once

#include "lock.h"
#include "sdk.h"

namespace ws2 {

/// One line of a table: its words, without comments. The text belongs to the reader.
struct TableLine {
    static constexpr int kMaxWords = 32;
    struct Word {
        const char* text;
        int length;
        /// Equal without regard to ASCII case; `other` ends with a null character.
        bool equals(const char* other) const;
        bool equals(const wchar_t* other) const;
        /// Copies with a terminator; false when it does not fit `size` characters.
        template <typename Char> bool copy(Char* buffer, int size) const
        {
            if (length >= size)
                return false;
            for (int i = 0; i < length; ++i)
                buffer[i] = static_cast<Char>(static_cast<unsigned char>(text[i]));
            buffer[length] = 0;
            return true;
        }
    };
    Word words[kMaxWords];
    int count;
};

/// Gives back the text of every table. For the end of a DLL that is freed, when no thread is in a
/// call.
void free_system_files();

/// A table in a file. Lives in static storage.
class SystemFile {
public:
    enum class Place {
        kWindows, // drivers\etc of the system directory
        kUnix, // the host's /etc, which only Wine has
    };

    constexpr SystemFile(Place place, const wchar_t* name)
        : m_place(place)
        , m_name(name)
    {
    }

    /// Goes through the lines. Refreshes the text if the file has changed and holds the file's lock
    /// until it is destroyed.
    class Reader {
    public:
        explicit Reader(SystemFile& file);
        ~Reader() { m_file.m_lock.release_shared(); }
        Reader(const Reader&) = delete;
        /// The next line with at least one word; false at the end.
        bool next(TableLine& line);

    private:
        SystemFile& m_file;
        const char* m_position;
    };

private:
    friend void free_system_files();

    struct Stamp {
        FILETIME written;
        DWORD size;
    };
    void path(wchar_t (&buffer)[MAX_PATH + 16]) const;
    void refresh();
    void load(const wchar_t* path, const Stamp& stamp);

    const Place m_place;
    const wchar_t* const m_name;
    SrwLock m_lock; // guards what follows
    char* m_text = nullptr; // ends with a null character; null: no such file
    Stamp m_stamp = {};
    bool m_loaded = false;
    SystemFile* m_next_read = nullptr; // of all that have been read; set once
};

} // namespace ws2
