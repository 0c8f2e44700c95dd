// AFD: handles and what makes them sockets. Rules: spec/afd.md.
#include "afd.h"

using namespace nt_suite;

namespace {

/// A status that carries a Winsock code.
constexpr NTSTATUS winsock_status(int code)
{
    return static_cast<NTSTATUS>(0xC0010000u + code);
}

void the_device_opens_under_any_path(void**) // [afd/1]
{
    for (const char* path : { "\\Device\\Afd", "\\Device\\Afd\\Endpoint", "\\Device\\Afd\\a\\b" })
        assert_status(create(open_afd(path), kInet, kStream, kTcp), STATUS_SUCCESS);
}

void another_name_is_not_found(void**) // [afd/1]
{
    HANDLE file = nullptr;
    assert_status(try_open_afd("\\Device\\AfdNot", 0, &file), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_null(file);
}

void a_handle_is_no_socket_before_create(void**) // [afd/2]
{
    const HANDLE file = open_afd();
    Address name {};
    int32_t value = 0;
    char data[1];
    assert_status(bind(file, loopback()), STATUS_BAD_DEVICE_TYPE);
    assert_status(listen(file), STATUS_BAD_DEVICE_TYPE);
    assert_status(get_name(file, &name), STATUS_BAD_DEVICE_TYPE);
    assert_status(get_int(file, afd::kIoctlFionread, &value), STATUS_BAD_DEVICE_TYPE);
    assert_status(receive(file, data, 1).status, STATUS_BAD_DEVICE_TYPE);
    assert_status(select(file, nullptr, 0), STATUS_BAD_DEVICE_TYPE);
}

void create_makes_the_socket_that_was_asked_for(void**) // [afd/3]
{
    const afd::InfoResult kinds[] = { { kInet, kStream, kTcp }, { kInet, kDatagram, kUdp } };
    for (const afd::InfoResult& kind : kinds) {
        const HANDLE socket = open_afd();
        assert_status(create(socket, kind.family, kind.type, kind.protocol), STATUS_SUCCESS);
        afd::InfoResult info {};
        ULONG_PTR length = 0;
        assert_status(control(socket, afd::kIoctlGetInfo, nullptr, 0, &info, sizeof(info), &length),
            STATUS_SUCCESS);
        assert_memory_equal(&info, &kind, sizeof(info));
        assert_int_equal(length, sizeof(info));
    }
}

void protocol_zero_is_told_as_it_was_given(void**) // [afd/3]
{
    const HANDLE socket = open_afd();
    assert_status(create(socket, kInet, kStream, 0), STATUS_SUCCESS);
    afd::InfoResult info {};
    assert_status(
        control(socket, afd::kIoctlGetInfo, nullptr, 0, &info, sizeof(info)), STATUS_SUCCESS);
    assert_int_equal(info.protocol, 0);
    bind_to_loopback(socket);
    assert_status(listen(socket), STATUS_SUCCESS);
}

void create_tells_what_is_not_supported(void**) // [afd/4]
{
    const struct {
        int32_t family, type, protocol;
        int code;
    } kinds[] = {
        { kInet, kStream, 12345, 10043 },
        { kInet, kStream, kUdp, 10043 },
        { kInet, kDatagram, kTcp, 10043 },
        { kInet, 77, kTcp, 10044 },
        { 99, kStream, kTcp, 10047 },
    };
    for (const auto& kind : kinds)
        assert_status(
            create(open_afd(), kind.family, kind.type, kind.protocol), winsock_status(kind.code));
}

void a_refused_create_can_be_repeated(void**) // [afd/4]
{
    const HANDLE socket = open_afd();
    assert_status(create(socket, kInet, kStream, 12345), winsock_status(10043));
    assert_status(bind(socket, loopback()), STATUS_BAD_DEVICE_TYPE);
    assert_status(create(socket, kInet, kStream, kTcp), STATUS_SUCCESS);
    bind_to_loopback(socket);
}

void create_takes_exactly_its_block(void**) // [afd/5]
{
    const HANDLE file = open_afd();
    const int32_t params[5] = { kInet, kStream, kTcp, 0, 0 };
    for (ULONG length : { 0, 12, 20 })
        assert_status(control(file, afd::kIoctlCreate, params, length), STATUS_INVALID_PARAMETER);
}

void an_unknown_code_is_refused(void**) // [afd/6]
{
    assert_status(control(new_stream(), 0x120FFC), STATUS_NOT_SUPPORTED);
}

void duplicates_share_the_socket(void**) // [afd/7]
{
    const HANDLE socket = new_stream();
    HANDLE copy = nullptr;
    assert_status(NtDuplicateObject(current_process(), socket, current_process(), &copy, 0, 0,
                      DUPLICATE_SAME_ACCESS),
        STATUS_SUCCESS);
    owned(copy);
    const Address bound = bind_to_loopback(socket);
    Address name {};
    assert_status(get_name(copy, &name), STATUS_SUCCESS);
    assert_true(name == bound);
    close_owned(socket);
    assert_status(listen(copy), STATUS_SUCCESS);
}

void ioctls_need_no_access_right(void**) // [afd/8]
{
    const HANDLE socket = new_stream();
    HANDLE copy = nullptr;
    assert_status(
        NtDuplicateObject(current_process(), socket, current_process(), &copy, SYNCHRONIZE, 0, 0),
        STATUS_SUCCESS);
    bind_to_loopback(owned(copy));
}

void what_is_no_socket_is_refused(void**) // [afd/9]
{
    assert_status(listen(nullptr), STATUS_INVALID_HANDLE);
    assert_status(listen(new_event(kNotificationEvent)), STATUS_OBJECT_TYPE_MISMATCH);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(the_device_opens_under_any_path),
    cmocka_unit_test(another_name_is_not_found),
    cmocka_unit_test(a_handle_is_no_socket_before_create),
    cmocka_unit_test(create_makes_the_socket_that_was_asked_for),
    cmocka_unit_test(protocol_zero_is_told_as_it_was_given),
    cmocka_unit_test(create_tells_what_is_not_supported),
    cmocka_unit_test(a_refused_create_can_be_repeated),
    cmocka_unit_test(create_takes_exactly_its_block),
    cmocka_unit_test(an_unknown_code_is_refused),
    cmocka_unit_test(duplicates_share_the_socket),
    cmocka_unit_test(ioctls_need_no_access_right),
    cmocka_unit_test(what_is_no_socket_is_refused),
};

} // namespace

NT_GROUP(afd_create, kCases);
