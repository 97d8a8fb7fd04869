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

// How much one process() may do. What follows the last look at the budget is at most one round of notifications (32)
// and one datagram of replies (32 KiB, of more than 512 bytes each): with them the sum stays within what Pollable
// promises.
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

// When there is a snapshot, and what follows from how it went, is core::SnapshotPlan's to say. While one runs there is
// a request_, with a thread that reads the replies: rtnetlink's lock may be held for seconds, and nothing here waits
// for it. What process() does itself needs no lock: it reads notifications, opens and joins sockets, sends probes.
//
// After a loss, a new event socket is opened and the old one closed before the snapshot is asked for: once its buffer
// has overrun, the kernel drops all that comes to a socket, without another word, until it has been read empty once.
//
// Sockets are opened in process() too, in the network namespace that its thread is in then: it must not have moved.
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
  // What read_events() found: nothing, all that waited, or not all of it.
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

  TimePoint now_;             // when what is being handled was read
  bool drained_due_ = false;  // something has been told since the last `drained`
  bool begun_ = false;        // there was a snapshot_begin
  bool malformed_ = false;    // among the replies of this request
  TimePoint answered_;        // with request_ only: when it was made, or replies were read last

  TimePoint heard_;                  // when the kernel's last datagram on the event socket was read
  std::optional<TimePoint> probed_;  // a probe is unanswered since
  os::ProcessFlag processing_;
};

std::error_code NetlinkLinkSource::start(Handler handler) {
  if (table_) return Errc::already_started;
  if (!handler) return std::make_error_code(std::errc::invalid_argument);
  table_.emplace(std::move(handler));
  now_ = heard_ = os::now();
  plan_.on_start(now_);  // what came since the socket was made is older than the snapshot: a new one for what is newer
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
    // The rest of what had been read is lost, and a handler missed some of it: what is known must be made sure of.
    give_up_snapshot();
    plan_.on_missed(now_);
    arm();
    throw;
  }
  return {};
}

// Reads first and looks at the time then, so that an answer that has waited for us while we did not run is no late one.
void NetlinkLinkSource::read_and_act() {
  now_ = os::now();
  Budget budget(now_);
  // Without a snapshot under way it is nearly always a notification that waits: reading says so at no more cost than
  // asking what waits.
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
    if (count < 0) {  // ENOBUFS: messages were dropped, and more of them are until all that waits has been read
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
  if (probed_) events_.relax();  // nothing happens: do not wake for the time limit of what has been answered
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
  if (message.nlmsg_type < NLMSG_MIN_TYPE) return;  // the answer to a probe
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

// All replies are in. They are the truth only if nothing was lost while they came: neither a link that came or went in
// the middle of the listing, nor a notification that was newer than a reply.
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

// The event socket has lost something, or may have. The old one is read on until the new snapshot may start: what it
// still has is not complete, but better than nothing.
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

// False: not now (no descriptor or no memory left). What there was is still there.
bool NetlinkLinkSource::open_sockets() noexcept try {
  if (plan_.lost()) replace_event_socket();
  request_.emplace();
  events_.add(request_->fd(), EPOLLIN, reply_id);
  return true;
} catch (const std::exception&) {
  request_.reset();
  return false;
}

// False: not now (no thread).
bool NetlinkLinkSource::list() noexcept try {
  request_->list();
  return true;
} catch (const std::exception&) {
  return false;
}

void NetlinkLinkSource::replace_event_socket() {
  auto socket = std::make_unique<EventSocket>(options_.receive_buffer_bytes);
  events_.add(socket->fd(), EPOLLIN, event_id);
  events_.remove(socket_->fd());  // closing alone would not do when a child process has a copy
  socket_ = std::move(socket);
  table_->on_loss();  // what was read since it was noticed may be older than the loss
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

// Tells a deaf socket from a quiet switch.
void NetlinkLinkSource::check_sign_of_life() {
  if (probed_ && now_ >= *probed_ + options_.probe_timeout) {
    if (!statistics_.deaf_since) statistics_.deaf_since = probed_;
    on_useless_socket();
  } else if (!probed_ && now_ >= heard_ + options_.probe_interval) {
    probe();
    // The answer would come to a socket too that gets no notifications any more, or has lost some.
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

// A timer that fires too early is harmless and one that need not be set is free, so that notifications, which move the
// next probe on and on, cost no system call here.
void NetlinkLinkSource::arm() noexcept {
  std::optional<TimePoint> next = plan_.wanted_at();
  if (request_ && request_->holds_replies()) next = now_;  // this makes nothing readable
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
