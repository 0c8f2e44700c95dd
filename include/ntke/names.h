// The modules of ntke, by which a program can tell that it runs on it: our DLL loads one of them in
// WSAStartup, and keeps it only when it is used.
#pragma once

namespace ntke {

constexpr const wchar_t* kPairModule = L"ntke.dll"; // the Windows half of a pair
constexpr const wchar_t* kUnixModule = L"ntke_unix.dll"; // ntke.so under another name
constexpr const wchar_t* kModules[] = { kPairModule, kUnixModule };

} // namespace ntke
