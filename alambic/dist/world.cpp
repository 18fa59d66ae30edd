#include "alambic/dist/world.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#include "alambic/base/error.h"
#include "alambic/base/stopwatch.h"
#include "alambic/dist/buckets.h"
#include "alambic/dist/device_transport.h"
#include "alambic/dist/meeting.h"

namespace alambic {
namespace {

std::shared_ptr<::gloo::transport::Device> device_of(const LaunchEnvironment& place) {
  using Gloo = c10d::ProcessGroupGloo;
  if (const auto name = environment_variable("GLOO_SOCKET_IFNAME")) {
    return Gloo::createDeviceForInterface(*name);
  }
  if (place.local_size == place.size) return Gloo::createDeviceForHostname("127.0.0.1");
  return Gloo::createDefaultDevice();
}

// The first line; what follows is a stack of libtorch's.
std::string reason_of(const std::exception& error) {
  const std::string text = error.what();
  return text.substr(0, text.find('\n'));
}

}  // namespace

std::pair<int64_t, int64_t> World::part(int64_t place, int64_t numbers, int64_t count) const {
  return overlap(place, numbers, count, rank(), size());
}

struct World::Link {
  LaunchEnvironment place;  // of the job, for messages
  std::chrono::milliseconds timeout{};
  c10::intrusive_ptr<c10d::Store> store;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> group;
  std::optional<c10::intrusive_ptr<c10d::Backend>> devices;  // null: through the hosts
  std::shared_ptr<OnMessage> hook;
  std::shared_ptr<double> waited;
  int64_t groups = 0;  // made of this one: a name of its own for each

  Link(const LaunchEnvironment& place, double seconds, std::shared_ptr<OnMessage> hook,
       std::shared_ptr<double> waited)
      : place(place),
        timeout(static_cast<int64_t>(1000 * seconds)),
        hook(std::move(hook)),
        waited(std::move(waited)) {
    join([&] { return meet(place, timeout); }, place.rank, place.size);
  }
  // Some of another link's ranks, which call themselves `name`.
  Link(const Link& whole, int64_t rank, int64_t size, const std::string& name)
      : place(whole.place), timeout(whole.timeout), hook(whole.hook), waited(whole.waited) {
    join([&] { return c10::make_intrusive<c10d::PrefixStore>(name, whole.store); }, rank, size);
  }

  template <class Meet>
  void join(const Meet& meet, int64_t rank, int64_t size) {
    try {
      store = meet();
      auto options = c10d::ProcessGroupGloo::Options::create(timeout);
      options->devices = {device_of(place)};
      group = c10::make_intrusive<c10d::ProcessGroupGloo>(store, static_cast<int>(rank),
                                                          static_cast<int>(size), options);
    } catch (const std::exception& error) {
      throw environment_error("rank {} of {} cannot join the others at {}:{}: {}", place.rank,
                              place.size, place.host, place.port, reason_of(error))
          .with_hint(
              fmt::format("all ranks of {} must be started, and reach rank 0's machine at that "
                          "port; MASTER_ADDR and MASTER_PORT name another",
                          place.source));
    }
  }

  // Waits for what `start` has begun.
  template <class Start>
  void run(c10d::Backend& carrier, const std::string& doing, const Start& start) const {
    guard(doing, [&] {
      const auto work = start(carrier);
      tell(doing, MessageEvent::sent);
      wait_for(*work, carrier, doing);
    });
  }

  void tell(const std::string& doing, MessageEvent event) const {
    if (*hook) (*hook)(doing, event);
  }

  // The host waits where a device could alone: a rank that is gone is told of here and not where a
  // number is read the next time. The device has been given what comes before the next message.
  void wait_for(c10d::Work& work, const c10d::Backend& carrier, const std::string& doing) const {
    tell(doing, MessageEvent::waits);
    const Stopwatch watch;
    work.wait();
    while (&carrier != group.get() && !work.isCompleted()) {
      const double seconds = watch.seconds();
      if (std::chrono::duration<double>(seconds) > timeout) {
        throw std::runtime_error(fmt::format("nothing came for {:.0f} s", seconds));
      }
      if (seconds > 1e-3) std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
    if (const std::exception_ptr error = work.exception()) std::rethrow_exception(error);
    *waited += watch.seconds();
    tell(doing, MessageEvent::there);
  }

  template <class Act>
  void guard(const std::string& doing, const Act& act) const {
    try {
      act();
    } catch (const std::exception& error) {
      throw environment_error("rank {} of {}, {}: a rank has ended, hangs or cannot be reached: {}",
                              place.rank, place.size, doing, reason_of(error))
          .with_hint(
              "the rank that ended first says why; --resume goes on from the last checkpoint");
    }
  }

  void add_up(Tensor& numbers, c10d::Backend& carrier, const std::string& doing) const {
    std::vector<Tensor> one = {numbers};
    run(carrier, doing, [&](c10d::Backend& by) { return by.allreduce(one); });
  }
};

struct Message::State {
  std::vector<Tensor> kept;  // that are read and written meanwhile
  std::function<void()> wait;
};

void Message::wait() {
  if (!state_) return;
  const std::shared_ptr<State> state = std::move(state_);
  state_.reset();
  state->wait();
}

World::World() = default;
World::World(const LaunchEnvironment& place, double seconds) : place_(place) {
  if (place.size > 1) link_ = std::make_unique<Link>(place, seconds, hook_, waited_);
}
World::~World() = default;
World::World(World&&) noexcept = default;
World& World::operator=(World&&) noexcept = default;

// What carries tensors on a device; those of a device that nothing reaches have another road.
c10d::Backend& World::carrier(at::Device device) const {
  if (device.is_cpu()) return *link_->group;
  if (!link_->devices) {
    const std::string doing = "joining the devices";
    const auto gather_names = [&](const std::string& own) { return gather(own, doing); };
    const DeviceTransport transport = device_transport(device, rank(), gather_names);
    c10::intrusive_ptr<c10d::Backend> joined;
    if (transport.join != nullptr) {
      link_->guard(doing, [&] {
        joined = join_devices(transport, link_->store, rank(), size(), link_->timeout);
      });
    }
    link_->devices = joined;
  }
  return *link_->devices ? **link_->devices : *link_->group;
}

at::Device World::road(at::Device device) const {
  return &carrier(device) == link_->group.get() ? at::Device(at::kCPU) : device;
}

void World::sum(const std::vector<Tensor>& tensors, const std::string& doing) const {
  if (alone()) return;
  const at::NoGradGuard no_grad;
  const auto on = [&](at::Device device) { return road(device); };
  in_buckets(tensors, on, [&](Tensor& numbers) {
    link_->add_up(numbers, carrier(numbers.device()), doing);
    count(2 * static_cast<double>(numbers.nbytes()), doing);
  });
}

void World::spread(const std::vector<Tensor>& tensors, const std::string& doing) const {
  if (alone()) return;
  const at::NoGradGuard no_grad;
  for (int64_t owner = 0; owner < size(); ++owner) {
    c10d::BroadcastOptions options;
    options.rootRank = owner;
    const auto on = [&](at::Device device) { return road(device); };
    in_buckets(parts_of(tensors, owner, size()), on, [&](Tensor& numbers) {
      std::vector<Tensor> message = {numbers};
      link_->run(carrier(numbers.device()), doing,
                 [&](c10d::Backend& by) { return by.broadcast(message, options); });
      count(static_cast<double>(numbers.nbytes()), doing);
    });
  }
}

void World::count(double bytes, const std::string& doing) const {
  const auto ranks = static_cast<double>(size());
  (*received_)[doing] += bytes * (ranks - 1) / ranks;
}

Message World::gather_rows(const Tensor& whole, const Tensor& own, const std::string& doing) const {
  const at::NoGradGuard no_grad;
  Message message;
  if (alone()) {
    Tensor(whole).copy_(own.view_as(whole));
    return message;
  }
  const at::Device travels = road(whole.device());
  Tensor part = own.to(travels);
  Tensor all = travels == whole.device() ? whole : at::empty_like(whole, at::device(travels));
  c10::intrusive_ptr<c10d::Work> work;
  link_->guard(doing, [&] {
    work = carrier(travels)._allgather_base(all, part);
    link_->tell(doing, MessageEvent::sent);
  });
  const Link* link = link_.get();
  c10d::Backend* by = &carrier(travels);
  const auto arrive = [link, work, by, doing, all, whole] {
    link->guard(doing, [&] { link->wait_for(*work, *by, doing); });
    if (!all.is_same(whole)) Tensor(whole).copy_(all);
  };
  message.state_ =
      std::make_shared<Message::State>(Message::State{.kept = {all, part}, .wait = arrive});
  count(static_cast<double>(whole.nbytes()), doing);
  return message;
}

Tensor World::reduce_rows(const Tensor& whole, const std::string& doing) const {
  if (alone()) return whole;
  const at::NoGradGuard no_grad;
  const at::Device travels = road(whole.device());
  Tensor all = whole.to(travels), part = at::empty({whole.numel() / size()}, all.options());
  link_->run(carrier(travels), doing,
             [&](c10d::Backend& by) { return by._reduce_scatter_base(part, all); });
  count(static_cast<double>(whole.nbytes()), doing);
  return part.to(whole.device());
}

Tensor World::exchange_rows(const Tensor& rows, std::vector<int64_t> sent,
                            std::vector<int64_t> arrives, const std::string& doing) const {
  if (alone()) return rows;
  const at::NoGradGuard no_grad;
  std::vector<int64_t> shape = rows.sizes().vec();
  shape[0] = std::accumulate(arrives.begin(), arrives.end(), int64_t{0});
  const at::Device travels = road(rows.device());
  const Tensor there = rows.to(travels).contiguous(), here = at::empty(shape, there.options());
  // As bytes: Gloo knows fewer dtypes than we do.
  const int64_t row = there.element_size() * c10::multiply_integers(rows.sizes().slice(1));
  for (int64_t& count : sent) count *= row;
  for (int64_t& count : arrives) count *= row;
  Tensor out = here.view({-1}).view(at::kByte), in = there.view({-1}).view(at::kByte);
  (*received_)[doing] += static_cast<double>(out.numel() - arrives[static_cast<size_t>(rank())]);
  // c10d takes the counts away.
  link_->run(carrier(travels), doing,
             [&](c10d::Backend& by) { return by.alltoall_base(out, in, arrives, sent); });
  return here.to(rows.device());
}

std::shared_ptr<World> World::part_of(int64_t rank, int64_t size, const std::string& name) const {
  auto part = std::make_shared<World>();
  part->place_ = place_;
  part->place_.rank = rank;
  part->place_.size = size;
  part->received_ = received_;
  part->hook_ = hook_;
  part->waited_ = waited_;
  if (size > 1) {
    const std::string unique = fmt::format("{}, number {}", name, ++link_->groups);
    part->link_ = std::make_unique<Link>(*link_, rank, size, unique);
  }
  return part;
}

Message World::send(std::string bytes, int64_t to, int64_t tag, const std::string& doing) const {
  const auto kept = std::make_shared<std::string>(std::move(bytes));
  const auto length = static_cast<int64_t>(kept->size());
  Tensor size = at::full({1}, length, at::kLong);
  Tensor row = at::from_blob(
      kept->data(), {length}, [kept](void*) {}, at::kByte);
  const auto begin = [&](const Tensor& what) {
    std::vector<Tensor> one = {what};
    return link_->group->send(one, static_cast<int>(to), static_cast<int>(tag));
  };
  c10::intrusive_ptr<c10d::Work> first, second;
  link_->guard(doing, [&] {
    first = begin(size);
    second = begin(row);
    link_->tell(doing, MessageEvent::sent);
  });
  const Link* link = link_.get();
  const auto arrive = [link, first, second, doing] {
    link->guard(doing, [&] {
      link->wait_for(*first, *link->group, doing);
      link->wait_for(*second, *link->group, doing);
    });
  };
  Message message;
  message.state_ =
      std::make_shared<Message::State>(Message::State{.kept = {size, row}, .wait = arrive});
  return message;
}

Tensor World::receive(int64_t from, int64_t tag, const std::string& doing) const {
  const auto fill = [&](const Tensor& what) {
    std::vector<Tensor> one = {what};
    link_->run(*link_->group, doing, [&](c10d::Backend& by) {
      return by.recv(one, static_cast<int>(from), static_cast<int>(tag));
    });
    return what;
  };
  const int64_t length = fill(at::empty({1}, at::kLong)).item<int64_t>();
  (*received_)[doing] += static_cast<double>(length);
  return fill(at::empty({length}, at::kByte));
}

std::shared_ptr<const World> World::split(int64_t first) const {
  const bool before = rank() < first;
  const int64_t begin = before ? 0 : first, end = before ? first : size();
  const auto part = part_of(rank() - begin, end - begin, before ? "the first" : "the last");
  // Ranks of a machine are consecutive.
  const int64_t here = rank() - place_.local_rank;
  part->place_.local_size = std::min(end, here + place_.local_size) - std::max(begin, here);
  return part;
}

std::shared_ptr<const World> World::group(int64_t size) const {
  return part_of(rank() % size, size, fmt::format("group {} of {}", rank() / size, size));
}

std::shared_ptr<const World> World::across_groups(int64_t size) const {
  return part_of(rank() / size, this->size() / size,
                 fmt::format("across {} of {}", rank() % size, size));
}

double World::sum(double number, const std::string& doing) const {
  if (alone()) return number;
  Tensor one = at::full({1}, number, at::kDouble);
  link_->add_up(one, *link_->group, doing);
  return one.item<double>();
}

int64_t World::sum(int64_t number, const std::string& doing) const {
  if (alone()) return number;
  Tensor one = at::full({1}, number, at::kLong);
  link_->add_up(one, *link_->group, doing);
  return one.item<int64_t>();
}

std::vector<std::string> World::gather(const std::string& bytes, const std::string& doing) const {
  if (alone()) return {bytes};
  Tensor sizes = at::zeros({size()}, at::kLong);
  sizes[rank()] = static_cast<int64_t>(bytes.size());
  link_->add_up(sizes, *link_->group, doing);
  const int64_t longest = std::max<int64_t>(1, sizes.max().item<int64_t>());
  Tensor own = at::zeros({longest}, at::kByte);
  std::memcpy(own.data_ptr(), bytes.data(), bytes.size());
  Tensor all = at::empty({size() * longest}, at::kByte);
  link_->run(*link_->group, doing, [&](c10d::Backend& by) { return by._allgather_base(all, own); });
  std::vector<std::string> texts;
  for (int64_t r = 0; r < size(); ++r) {
    texts.emplace_back(static_cast<const char*>(all.data_ptr()) + r * longest,
                       static_cast<size_t>(sizes[r].item<int64_t>()));
  }
  return texts;
}

void World::from_first(const Tensor& numbers, const std::string& doing) const {
  if (alone()) return;
  std::vector<Tensor> message = {numbers};
  link_->run(*link_->group, doing, [&](c10d::Backend& by) { return by.broadcast(message); });
  count(static_cast<double>(numbers.nbytes()), doing);
}

void World::wait_for_all(const std::string& doing, double seconds) const {
  if (alone()) return;
  c10d::BarrierOptions options;
  if (seconds > 0)
    options.timeout = std::chrono::milliseconds(static_cast<int64_t>(1000 * seconds));
  link_->run(*link_->group, doing, [&](c10d::Backend& by) { return by.barrier(options); });
}

}  // namespace alambic
