// The options whose value is no plain number, or is made from several sources.
#pragma once

#include "option.h"

namespace ws2::option {

// SOL_SOCKET
OptionFunction get_type, get_accept_connections, get_error, set_error, get_linger, set_linger,
    get_dont_linger, set_dont_linger, get_max_message_size, get_protocol_info_a,
    get_protocol_info_w, get_bsp_state, get_connect_time, get_group_id, set_accept_context,
    set_connect_context, set_read_only_type, refuse_low_water_mark, set_keepalive, get_send_buffer,
    set_send_buffer, get_receive_buffer, set_receive_buffer, set_conditional_accept;

// IPPROTO_TCP
OptionFunction get_keep_idle, set_keep_idle, get_keep_count, set_keep_count, get_keep_interval,
    set_keep_interval, get_max_segment, get_at_mark, get_bsd_urgent, set_bsd_urgent,
    set_max_retransmission, set_max_retransmission_ms;

// IPPROTO_IP and IPPROTO_IPV6
OptionFunction get_ip_options, set_ip_options, get_mtu, set_mtu_discover, get_interface_list,
    get_ipv6_only, set_ipv6_only, add_membership, drop_membership, add_source_membership,
    drop_source_membership, block_source, unblock_source, add_ipv6_membership, drop_ipv6_membership,
    join_group, leave_group, join_source_group, leave_source_group, block_group_source,
    unblock_group_source, set_multicast_interface, get_unicast_interface,
    get_ipv6_unicast_interface, set_ipv6_unicast_interface;

} // namespace ws2::option
