// SPDX-License-Identifier: Apache-2.0
// The cost of an event in the library between the socket and the batch, without either: for callgrind, and for counting
// allocations. tests/support/limits.py runs it.
//
//   hot_path decode|coalesce EVENTS
//
// Decodes so many notifications of 64 ports, each with another mtu than the port's last one. `coalesce` also takes them
// through the tables to the queue of a sink. Prints the heap allocations of all rounds except the first, in which tables
// and strings grow to their size.
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <portsync/redis/state_sink.hpp>
#include <string_view>
#include <utility>

#include "core/link_table.hpp"
#include "core/sync_engine.hpp"
#include "netlink/decode.hpp"
#include "support/cpp/allocations.hpp"
#include "unit/netlink/veth_newlink.hpp"

namespace {

using namespace portsync;

constexpr std::int32_t ports = 64;
constexpr std::string_view endings = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+-";
static_assert(endings.size() == ports);

// Changes the test's message into that of another port.
class Notification {
 public:
  [[nodiscard]] const nlmsghdr& of(std::int32_t port, std::uint32_t mtu) {
    const std::int32_t ifindex = 100 + port;
    std::memcpy(bytes_.data() + NLMSG_HDRLEN + offsetof(ifinfomsg, ifi_index), &ifindex, sizeof ifindex);
    name_[std::strlen(name_) - 1] = endings[static_cast<std::size_t>(port)];
    std::memcpy(mtu_, &mtu, sizeof mtu);
    return message_;
  }

 private:
  [[nodiscard]] void* value(int type) { return nla_data(nlmsg_find_attr(&message_, sizeof(ifinfomsg), type)); }

  alignas(nlmsghdr) std::array<unsigned char, test::veth_newlink.size()> bytes_ = test::veth_newlink;
  nlmsghdr& message_ = *reinterpret_cast<nlmsghdr*>(bytes_.data());
  char* name_ = static_cast<char*>(value(IFLA_IFNAME));
  void* mtu_ = value(IFLA_MTU);
};

class Source final : public LinkSource {
 public:
  [[nodiscard]] int fd() const noexcept override { return -1; }
  [[nodiscard]] std::error_code process() override { return {}; }
  [[nodiscard]] std::error_code start(Handler handler) override {
    table.emplace(std::move(handler));
    return {};
  }
  [[nodiscard]] std::error_code resync() override { return {}; }
  [[nodiscard]] LinkSourceStatistics statistics() const override { return {}; }

  std::optional<core::LinkTable> table;
};

// Passes `change(link)` so many notifications.
template <typename Change>
void run(long events, Change change) {
  Notification notification;
  LinkState link;
  for (long event = 0; event < events; ++event) {
    const auto port = static_cast<std::int32_t>(event % ports);
    if (event == 2 * ports) test::allocations = 0;
    const auto& message = notification.of(port, 1500 + static_cast<std::uint32_t>(event / ports) % 2);
    if (netlink::decode(message, link) != netlink::Decoded::changed) std::abort();
    change(link);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const long events = argc == 3 ? std::atol(argv[2]) : 0;
  const std::string_view what = argc == 3 ? argv[1] : "";
  if (events < 3 * ports || (what != "decode" && what != "coalesce")) {
    std::fprintf(stderr, "usage: hot_path decode|coalesce EVENTS, which are at least %d\n", 3 * ports);
    return 2;
  }
  Source source;
  core::SyncEngine engine(source, {});
  const auto sink = make_callback_sink([](const PortRecord&) { return std::error_code{}; },
                                       [](std::string_view) { return std::error_code{}; });
  const redis::StateSinkOptions redis_options;
  engine.add_sink(*sink, redis::make_projection(redis_options), "");
  if (engine.start({})) return 1;
  if (what == "decode") {
    run(events, [](const LinkState&) {});
  } else {
    run(events, [&](LinkState& link) { source.table->on_changed(link, TimePoint{}); });
    if (engine.statistics().pending != ports) std::abort();
  }
  std::printf("allocations=%zu\n", test::allocations);
}
