#pragma once

// What the DLL exports for layered providers and no header declares, as far as the storm of
// arguments needs things of its making.

#include <winsock2.h>

namespace stress {

/// Where the DLL lacks them, helpers and tables are null.
class HandleHelpers {
public:
    HandleHelpers();

    /// What WahOpenApcHelper and WahOpenNotificationHandleHelper give.
    HANDLE of_apcs() const { return m_of_apcs; }
    HANDLE of_notifications() const { return m_of_notifications; }

    /// A table of handle contexts, for end_table.
    void* make_table() const;
    void end_table(void* table) const;

private:
    DWORD(WINAPI* m_make_table)(void**);
    DWORD(WINAPI* m_end_table)(void*);
    HANDLE m_of_apcs;
    HANDLE m_of_notifications;
};

} // namespace stress
