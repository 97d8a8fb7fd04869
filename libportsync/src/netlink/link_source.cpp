// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <portsync/error.hpp>
#include <portsync/netlink/link_source.hpp>
#include <utility>

#include "core/earliest.hpp"
#include "core/link_table.hpp"
#include "core/snapshot_plan.hpp"
#include "netlink/decode.hpp"
#include "netlink/event_socket.hpp"
#include "netlink/receive_buffer.hpp"
#include "netlink/snapshot_request.hpp"
#include "os/event_set.hpp"
#include "os/process_guard.hpp"

namespace portsync::netlink {
namespace {

constexpr std::uint32_t event_id = 1;
constexpr std::uint32_t reply_id = 2;

// The limits of one process(). After its last check of the budget, process() handles at most one round of notifications
// (32) and one datagram of replies (32 KiB, each reply longer than 512 bytes). Together with those, the total stays
// within the limit that Pollable documents.
constexpr std::size_t max_messages = 1024 - ReceiveBuffer::max_slots - 64;
constexpr std::chrono::milliseconds max_time{1};

class Budget {
 public:
  explicit Budget(TimePoint now) noexcept : end_(now + max_time) {}
  void spend(std::size_t messages) noexcept { messages_ += messages; }
  [[nodiscard]] bool spent(TimePoint now) const noexcept { return messages_ >= max_messages || now >= end_; }

 private:
  TimePoint end_;
  std::size_t messages_ = 0;
};

// core::SnapshotPlan decides when a snapshot starts and what follows from its outcome. During a snapshot request_ is
// set, and its thread reads the replies. So nothing here waits for rtnetlink's lock, which may be held for seconds.
// process() itself only reads notifications, opens and joins sockets, and sends probes. None of that needs the lock.
//
// After a loss, the source opens a new event socket and closes the old one before it requests the snapshot. The reason:
// after an overrun the kernel silently drops all messages to a socket until the socket has been read empty once.
//
// process() also opens sockets, in the current network namespace of its thread. So that thread must not change its
// namespace.
class NetlinkLinkSource final : public LinkSource {
 public:
  explicit NetlinkLinkSource(const Options& options)
      : options_(options), socket_(std::make_unique<EventSocket>(options.receive_buffer_bytes)) {}

  [[nodiscard]] std::error_code start(Handler handler) override;
  [[nodiscard]] std::error_code resync() override;
  [[nodiscard]] LinkSourceStatistics statistics() const override;
  [[nodiscard]] int fd() const noexcept override { return events_.fd(); }
  [[nodiscard]] std::error_code process() override;

 private:
  // How much read_events() has read: nothing, all available notifications, or a part of them.
  enum class Events : std::uint8_t { none, all, more };

  void read_and_act();
  Events read_events(Budget& budget);
  void on_datagram(const ReceiveBuffer::Datagram& datagram);
  void on_event(const nlmsghdr& message);

  void read_replies(Budget& budget);
  void on_reply(const nlmsghdr& message);
  void on_replies_end(core::SnapshotPlan::Outcome outcome);
  void ask_about_unlisted();
  void end_snapshot();
  void drop_request() noexcept;
  void give_up_snapshot() noexcept;

  void on_loss();
  void begin_snapshot();
  bool open_sockets() noexcept;
  bool list() noexcept;
  void replace_event_socket();

  void on_time();
  [[nodiscard]] bool probing() const noexcept {
    return begun_ && options_.probe_interval > std::chrono::milliseconds::zero();
  }
  void check_sign_of_life();
  void probe();
  void on_useless_socket();
  void arm() noexcept;

  const Options options_;
  os::EventSet events_;
  std::unique_ptr<EventSocket> socket_;
  std::optional<SnapshotRequest> request_;
  ReceiveBuffer buffer_;
  LinkState link_;  // scratch of decode()
  std::optional<core::LinkTable> table_;
  core::SnapshotPlan plan_;
  LinkSourceStatistics statistics_;

  TimePoint now_;             // when the messages that are being handled were read
  bool drained_due_ = false;  // an event has been reported since the last `drained`
  bool begun_ = false;        // snapshot_begin has been reported
  bool malformed_ = false;    // a reply of this request was malformed
  TimePoint answered_;        // with request_ only: when it was made, or when replies were last read

  TimePoint heard_;                  // when the kernel's last datagram on the event socket was read
  std::optional<TimePoint> probed_;  // when the unanswered probe was sent
  os::ProcessFlag processing_;
};

std::error_code NetlinkLinkSource::start(Handler handler) {
  if (table_) return Errc::already_started;
  if (!handler) return std::make_error_code(std::errc::invalid_argument);
  table_.emplace(std::move(handler));
  now_ = heard_ = os::now();
  // Notifications that have waited since the socket was made are older than the snapshot. So the plan opens a new
  // socket.
  plan_.on_start(now_);
  arm();
  return {};
}

std::error_code NetlinkLinkSource::resync() {
  if (!table_) return Errc::not_started;
  plan_.on_request(os::now());
  events_.arm(plan_.wanted_at());
  return {};
}

LinkSourceStatistics NetlinkLinkSource::statistics() const {
  LinkSourceStatistics statistics = statistics_;
  statistics.changes = table_ ? table_->changes() : 0;
  statistics.links = table_ ? table_->size() : 0;
  statistics.receive_buffer_bytes = socket_->receive_buffer_bytes();
  statistics.backlog_bytes = socket_->backlog_bytes();
  statistics.snapshot_pending = plan_.known() != core::SnapshotPlan::Known::surely;
  statistics.interrupted_in_a_row = plan_.interrupted_in_a_row();
  if (request_) statistics.listing_silent_since = answered_;
  return statistics;
}

std::error_code NetlinkLinkSource::process() {
  if (!table_) return Errc::not_started;
  const os::ProcessGuard guard(processing_);
  try {
    read_and_act();
  } catch (...) {
    // The unhandled rest of the messages is lost, and a handler missed some of them. So a new snapshot must verify the
    // table.
    give_up_snapshot();
    plan_.on_missed(now_);
    arm();
    throw;
  }
  return {};
}

// Reads before it checks the time limits, so that a reply that arrived while this process did not run is not late.
void NetlinkLinkSource::read_and_act() {
  now_ = os::now();
  Budget budget(now_);
  // Without a running snapshot, the cause is nearly always a notification. So read the socket first: that costs no more
  // than a poll.
  Events events = request_ ? Events::none : read_events(budget);
  if (events == Events::none) {
    epoll_event ready[os::EventSet::max_events];
    const int count = events_.poll(ready);
    const auto is_ready = [&](std::uint32_t id) {
      return std::any_of(ready, ready + count, [id](const epoll_event& event) { return event.data.u32 == id; });
    };
    if (is_ready(event_id)) events = read_events(budget);
    if (request_ && (is_ready(reply_id) || request_->holds_replies())) read_replies(budget);
  }
  on_time();
  if (drained_due_ && events != Events::more && !request_) {
    drained_due_ = false;
    table_->on_drained(now_);
  }
  arm();
}

// ---- notifications

NetlinkLinkSource::Events NetlinkLinkSource::read_events(Budget& budget) {
  Events events = Events::none;
  do {
    const int count = buffer_.receive(socket_->fd());
    now_ = os::now();
    if (count == -EAGAIN) return events;
    if (count == -EINTR) return Events::more;
    if (count < 0) {  // ENOBUFS: the kernel dropped messages, and drops more until the socket has been read empty
      ++statistics_.overruns;
      on_loss();
      return Events::more;
    }
    events = Events::all;
    const std::size_t slots = buffer_.slots();
    const auto datagrams = static_cast<std::size_t>(count);
    for (std::size_t i = 0; i < datagrams; ++i) on_datagram(buffer_.datagram(i));
    buffer_.fit_slots();
    budget.spend(datagrams);
    if (datagrams < slots) return events;
  } while (!budget.spent(now_));
  return Events::more;
}

void NetlinkLinkSource::on_datagram(const ReceiveBuffer::Datagram& datagram) {
  if (!datagram.from_kernel) {
    ++statistics_.foreign;
    return;
  }
  heard_ = now_;
  if (probed_) events_.relax();  // the probe is answered: its time limit no longer needs a wakeup
  probed_.reset();
  statistics_.deaf_since.reset();
  if (datagram.truncated) {
    ++statistics_.truncated;
    on_loss();
    return;
  }
  if (!each_message(datagram.data, [this](const nlmsghdr& message) { on_event(message); })) {
    ++statistics_.malformed;
    on_loss();
  }
}

void NetlinkLinkSource::on_event(const nlmsghdr& message) {
  if (message.nlmsg_type < NLMSG_MIN_TYPE) return;  // the reply to a probe
  switch (decode(message, link_)) {
    case Decoded::changed:
      ++statistics_.messages;
      drained_due_ = true;
      table_->on_changed(link_, now_);
      break;
    case Decoded::removed:
      ++statistics_.messages;
      drained_due_ = true;
      table_->on_removed(link_.ifindex, now_);
      break;
    case Decoded::ignored:
      ++statistics_.ignored;
      break;
    case Decoded::malformed:
      ++statistics_.malformed;
      on_loss();
      break;
  }
}

// ---- snapshots

// Reads at least once, so that a flood of notifications does not starve the snapshot.
void NetlinkLinkSource::read_replies(Budget& budget) {
  using Outcome = core::SnapshotPlan::Outcome;
  do {
    const auto status = request_->read([&](const nlmsghdr& message) {
      budget.spend(1);
      on_reply(message);
    });
    now_ = os::now();
    statistics_.foreign += request_->take_foreign();
    switch (status) {
      case SnapshotRequest::Status::waiting:
        return;
      case SnapshotRequest::Status::more:
        answered_ = now_;
        break;
      case SnapshotRequest::Status::complete:
        return on_replies_end(malformed_ ? Outcome::failed : Outcome::complete);
      case SnapshotRequest::Status::interrupted:
        return on_replies_end(malformed_ ? Outcome::failed : Outcome::interrupted);
      case SnapshotRequest::Status::failed:
        return on_replies_end(Outcome::failed);
    }
  } while (!budget.spent(now_));
}

void NetlinkLinkSource::on_reply(const nlmsghdr& message) {
  switch (decode(message, link_)) {
    case Decoded::changed:
      table_->on_snapshot_link(link_, now_);
      break;
    case Decoded::malformed:
      ++statistics_.malformed;
      malformed_ = true;
      break;
    case Decoded::removed:
    case Decoded::ignored:
      break;
  }
}

// Handles the end of the replies. They are valid only if nothing was lost meanwhile: no link that came or went during
// the listing, and no notification that was newer than a reply.
void NetlinkLinkSource::on_replies_end(core::SnapshotPlan::Outcome outcome) {
  using Plan = core::SnapshotPlan;
  if (outcome != Plan::Outcome::complete) ++statistics_.interrupted;
  if (!plan_.lost() && socket_->drops() != 0) {
    ++statistics_.overruns;
    on_loss();
  }
  const bool listed = plan_.stage() == Plan::Stage::listing;
  switch (listed ? plan_.on_listed(outcome, now_) : plan_.on_asked(outcome, now_)) {
    case Plan::Step::again:
      return give_up_snapshot();
    case Plan::Step::ask:
      return ask_about_unlisted();
    case Plan::Step::end:
      return end_snapshot();
  }
}

void NetlinkLinkSource::ask_about_unlisted() {
  answered_ = now_;
  request_->ask_about(table_->unlisted());
}

void NetlinkLinkSource::end_snapshot() {
  drop_request();
  ++statistics_.snapshots;
  table_->end_snapshot(now_);
}

void NetlinkLinkSource::drop_request() noexcept {
  if (!request_) return;
  events_.remove(request_->fd());
  request_.reset();
}

void NetlinkLinkSource::give_up_snapshot() noexcept {
  drop_request();
  table_->abort_snapshot();
}

// Handles a certain or possible loss of notifications on the event socket. The source still reads the old socket until
// the new snapshot may start, because incomplete notifications are better than none.
void NetlinkLinkSource::on_loss() {
  table_->on_loss();
  plan_.on_loss(now_);
}

void NetlinkLinkSource::begin_snapshot() {
  if (!open_sockets()) return plan_.on_refused(now_);
  const Cause cause = plan_.cause();
  plan_.on_begin(now_);
  malformed_ = false;
  answered_ = now_;
  drained_due_ = true;
  if (std::exchange(begun_, true)) ++statistics_.resyncs;
  table_->begin_snapshot(cause, now_);
  if (list()) return;
  give_up_snapshot();
  plan_.on_refused(now_);
}

// Returns false if no descriptor or no memory is left. The previous sockets then stay as they were.
bool NetlinkLinkSource::open_sockets() noexcept try {
  if (plan_.lost()) replace_event_socket();
  request_.emplace();
  events_.add(request_->fd(), EPOLLIN, reply_id);
  return true;
} catch (const std::exception&) {
  request_.reset();
  return false;
}

// Returns false if no thread can be started.
bool NetlinkLinkSource::list() noexcept try {
  request_->list();
  return true;
} catch (const std::exception&) {
  return false;
}

void NetlinkLinkSource::replace_event_socket() {
  auto socket = std::make_unique<EventSocket>(options_.receive_buffer_bytes);
  events_.add(socket->fd(), EPOLLIN, event_id);
  events_.remove(socket_->fd());  // closing it is not enough if a child process has a copy
  socket_ = std::move(socket);
  table_->on_loss();  // messages that were read since the loss was noticed may be older than it
  plan_.on_socket_replaced();
  probed_.reset();
  heard_ = now_;
  if (statistics_.deaf_since) probe();
}

// ---- time

void NetlinkLinkSource::on_time() {
  if (probing()) check_sign_of_life();
  const std::optional<TimePoint> wanted_at = plan_.wanted_at();
  if (wanted_at && now_ >= *wanted_at) begin_snapshot();
}

// Distinguishes a socket that receives nothing from a switch on which nothing happens.
void NetlinkLinkSource::check_sign_of_life() {
  if (probed_ && now_ >= *probed_ + options_.probe_timeout) {
    if (!statistics_.deaf_since) statistics_.deaf_since = probed_;
    on_useless_socket();
  } else if (!probed_ && now_ >= heard_ + options_.probe_interval) {
    probe();
    // The reply alone proves little: a socket that left the group, or that lost notifications, would receive it too.
    if (!socket_->joined()) {
      on_useless_socket();
    } else if (!plan_.lost() && socket_->drops() != 0) {
      ++statistics_.overruns;
      on_loss();
    }
  }
}

void NetlinkLinkSource::probe() {
  ++statistics_.probes;
  probed_ = now_;
  socket_->send_probe();
}

void NetlinkLinkSource::on_useless_socket() {
  ++statistics_.probe_failures;
  probed_.reset();
  heard_ = now_;
  on_loss();
}

// Leaves a timer that fires too early as it is, because an early wakeup is harmless. So the notifications, each of
// which postpones the next probe, cost no system call here.
void NetlinkLinkSource::arm() noexcept {
  std::optional<TimePoint> next = plan_.wanted_at();
  if (request_ && request_->holds_replies()) next = now_;  // replies that are already here make no descriptor readable
  if (probing()) {
    next = core::earliest(next, probed_ ? *probed_ + options_.probe_timeout : heard_ + options_.probe_interval);
  }
  events_.arm(next);
}

}  // namespace

std::unique_ptr<LinkSource> make_link_source(const Options& options) {
  return std::make_unique<NetlinkLinkSource>(options);
}

}  // namespace portsync::netlink
