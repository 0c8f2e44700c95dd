// Tells what a program finds in its prefix, one fact a line: the computer's names, its adapters,
// the services that run, what libraries of Wine's do in it. Facts are in a fixed order, so that two
// runs can be compared. What is no fact begins with '#'.
//
// usage: facts.exe [PORT [NAME...]]
//   PORT   of an HTTP server on this machine, asked with WinHTTP before Winsock is started
//   NAME   looked up with getaddrinfo
#include <winsock2.h>
#include <ws2tcpip.h>

#include <iphlpapi.h>
#include <winhttp.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "module.h"

namespace {

// Only there to end a hang: a service that is being started, a server that does not answer.
constexpr DWORD kLimit = 60'000;

std::string joined(std::vector<std::string> words)
{
    std::sort(words.begin(), words.end());
    std::string line;
    for (const std::string& word : words)
        line += ' ' + word;
    return line;
}

std::string text_of(const SOCKET_ADDRESS& address)
{
    char text[INET6_ADDRSTRLEN] = "?";
    const void* bytes = address.lpSockaddr->sa_family == AF_INET
        ? static_cast<void*>(&reinterpret_cast<sockaddr_in*>(address.lpSockaddr)->sin_addr)
        : &reinterpret_cast<sockaddr_in6*>(address.lpSockaddr)->sin6_addr;
    inet_ntop(address.lpSockaddr->sa_family, bytes, text, sizeof(text));
    return text;
}

/// Before WSAStartup: the program itself is refused, and a library of Wine's in it is served.
void tell_unstarted(int port)
{
    char name[256];
    printf("# refused: %d\n", gethostname(name, sizeof(name)) ? WSAGetLastError() : 0);
    if (!port)
        return;
    DWORD status = 0;
    DWORD size = sizeof(status);
    const HINTERNET session = WinHttpOpen(
        L"facts", WINHTTP_ACCESS_TYPE_NO_PROXY, WINHTTP_NO_PROXY_NAME, WINHTTP_NO_PROXY_BYPASS, 0);
    WinHttpSetTimeouts(session, kLimit, kLimit, kLimit, kLimit);
    const HINTERNET connection
        = WinHttpConnect(session, L"localhost", static_cast<INTERNET_PORT>(port), 0);
    const HINTERNET request = WinHttpOpenRequest(
        connection, L"GET", L"/", nullptr, WINHTTP_NO_REFERER, WINHTTP_DEFAULT_ACCEPT_TYPES, 0);
    const bool is_answered
        = WinHttpSendRequest(request, WINHTTP_NO_ADDITIONAL_HEADERS, 0, nullptr, 0, 0, 0)
        && WinHttpReceiveResponse(request, nullptr)
        && WinHttpQueryHeaders(request, WINHTTP_QUERY_STATUS_CODE | WINHTTP_QUERY_FLAG_NUMBER,
            WINHTTP_HEADER_NAME_BY_INDEX, &status, &size, WINHTTP_NO_HEADER_INDEX);
    printf("WinHTTP: status %lu, error %lu\n", status, is_answered ? 0 : GetLastError());
    WinHttpCloseHandle(request);
    WinHttpCloseHandle(connection);
    WinHttpCloseHandle(session);
}

void tell_names()
{
    char name[256];
    DWORD size = sizeof(name);
    const BOOL has_name = GetComputerNameA(name, &size);
    printf("GetComputerName: %s, error %lu\n", has_name ? name : "", has_name ? 0 : GetLastError());
    for (int kind = 0; kind < ComputerNameMax; ++kind) {
        size = sizeof(name);
        const BOOL is_known
            = GetComputerNameExA(static_cast<COMPUTER_NAME_FORMAT>(kind), name, &size);
        printf("GetComputerNameEx %d: %s, error %lu\n", kind, is_known ? name : "",
            is_known ? 0 : GetLastError());
    }
    printf("gethostname: %s\n", gethostname(name, sizeof(name)) ? "" : name);
    std::vector<std::string> addresses;
    if (const hostent* host = gethostbyname(name)) {
        for (char** address = host->h_addr_list; *address; ++address)
            addresses.push_back(inet_ntoa(*reinterpret_cast<const in_addr*>(*address)));
    }
    printf("own addresses:%s\n", joined(addresses).c_str());
}

void tell_look_up(const char* name)
{
    addrinfo hints {};
    hints.ai_flags = AI_CANONNAME;
    addrinfo* list = nullptr;
    const int error = getaddrinfo(name, nullptr, &hints, &list);
    printf("getaddrinfo %s: error %d, canonical name %s\n", name, error,
        list && list->ai_canonname ? list->ai_canonname : "");
    if (list)
        freeaddrinfo(list);
}

void tell_adapters()
{
    std::vector<char> room(256 << 10);
    ULONG size = static_cast<ULONG>(room.size());
    auto* adapter = reinterpret_cast<IP_ADAPTER_ADDRESSES*>(room.data());
    const ULONG error = GetAdaptersAddresses(AF_UNSPEC, 0, nullptr, adapter, &size);
    std::vector<std::string> lines;
    for (; !error && adapter; adapter = adapter->Next) {
        std::vector<std::string> addresses;
        for (auto* unicast = adapter->FirstUnicastAddress; unicast; unicast = unicast->Next)
            addresses.push_back(text_of(unicast->Address));
        char head[300];
        snprintf(head, sizeof(head), "adapter %ls: status %d, suffix %ls,", adapter->FriendlyName,
            adapter->OperStatus, adapter->DnsSuffix);
        lines.push_back(head + joined(addresses));
    }
    std::sort(lines.begin(), lines.end());
    printf("GetAdaptersAddresses: error %lu\n", error);
    for (const std::string& line : lines)
        printf("%s\n", line.c_str());
}

void tell_address_list()
{
    const SOCKET s = socket(AF_INET, SOCK_DGRAM, 0);
    std::vector<char> room(64 << 10);
    DWORD size = 0;
    const int result = WSAIoctl(s, SIO_ADDRESS_LIST_QUERY, nullptr, 0, room.data(),
        static_cast<DWORD>(room.size()), &size, nullptr, nullptr);
    const int error = result ? WSAGetLastError() : 0;
    std::vector<std::string> addresses;
    const auto* list = reinterpret_cast<const SOCKET_ADDRESS_LIST*>(room.data());
    for (int i = 0; !result && i < list->iAddressCount; ++i) {
        // Wine's own DLL has an empty address for each adapter that is down.
        if (const std::string text = text_of(list->Address[i]); text != "0.0.0.0")
            addresses.push_back(text);
    }
    printf("SIO_ADDRESS_LIST_QUERY: error %d,%s\n", error, joined(addresses).c_str());
    closesocket(s);
}

/// Waits until a service that is being started runs; tells its state in the end.
DWORD settled_state(SC_HANDLE service)
{
    const ULONGLONG begin = GetTickCount64();
    SERVICE_STATUS status {};
    while (QueryServiceStatus(service, &status) && status.dwCurrentState != SERVICE_RUNNING
        && GetTickCount64() - begin < kLimit)
        Sleep(20);
    return status.dwCurrentState;
}

/// A service the system starts by itself has to run; others are started when something wants them,
/// which would make the line depend on the moment.
std::string tell_service(SC_HANDLE manager, const char* name)
{
    const SC_HANDLE service
        = OpenServiceA(manager, name, SERVICE_QUERY_CONFIG | SERVICE_QUERY_STATUS);
    std::vector<char> room(8 << 10);
    auto* config = reinterpret_cast<QUERY_SERVICE_CONFIGA*>(room.data());
    DWORD needed;
    std::string line = std::string("service ") + name + ':';
    if (QueryServiceConfigA(service, config, static_cast<DWORD>(room.size()), &needed)) {
        line += " start type " + std::to_string(config->dwStartType);
        if (config->dwStartType == SERVICE_AUTO_START)
            line += ", state " + std::to_string(settled_state(service));
    }
    CloseServiceHandle(service);
    return line;
}

void tell_services()
{
    const SC_HANDLE manager
        = OpenSCManagerA(nullptr, nullptr, SC_MANAGER_CONNECT | SC_MANAGER_ENUMERATE_SERVICE);
    printf("OpenSCManager: error %lu\n", manager ? 0 : GetLastError());
    std::vector<char> room(256 << 10);
    auto* entries = reinterpret_cast<ENUM_SERVICE_STATUSA*>(room.data());
    DWORD needed;
    DWORD count = 0;
    DWORD resume = 0;
    const BOOL is_listed = EnumServicesStatusA(manager, SERVICE_WIN32 | SERVICE_DRIVER,
        SERVICE_STATE_ALL, entries, static_cast<DWORD>(room.size()), &needed, &count, &resume);
    printf("EnumServicesStatus: error %lu\n", is_listed ? 0 : GetLastError());
    std::vector<std::string> lines;
    for (DWORD i = 0; i < count; ++i)
        lines.push_back(tell_service(manager, entries[i].lpServiceName));
    std::sort(lines.begin(), lines.end());
    for (const std::string& line : lines)
        printf("%s\n", line.c_str());

    // One that starts on demand, and answers RPC.
    const SC_HANDLE rpc = OpenServiceA(manager, "RpcSs", SERVICE_START | SERVICE_QUERY_STATUS);
    const bool is_started
        = StartServiceA(rpc, 0, nullptr) || GetLastError() == ERROR_SERVICE_ALREADY_RUNNING;
    printf("RpcSs: error %lu, state %lu\n", is_started ? 0 : GetLastError(), settled_state(rpc));
    CloseServiceHandle(rpc);
    CloseServiceHandle(manager);
}

} // namespace

int main(int argc, char** argv)
{
    tell_unstarted(argc > 1 ? atoi(argv[1]) : 0);
    WSADATA data;
    if (WSAStartup(MAKEWORD(2, 2), &data))
        return 1;
    demo::print_library();
    demo::print_kernel();
    tell_names();
    for (int i = 2; i < argc; ++i)
        tell_look_up(argv[i]);
    tell_adapters();
    tell_address_list();
    tell_services();
    WSACleanup();
    printf("# complete\n");
    return 0;
}
