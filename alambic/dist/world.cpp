#include "alambic/dist/world.h"

#include <algorithm>
#include <cstring>
#include <sstream>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "alambic/base/error.h"

namespace alambic {
namespace {

constexpr int64_t bucket_numbers = 4 << 20;  // of one message: 16 MiB in float32

c10::intrusive_ptr<c10d::Store> meet(const LaunchEnvironment& place,
                                     std::chrono::milliseconds timeout) {
  c10d::TCPStoreOptions options;
  options.port = static_cast<uint16_t>(place.port);
  options.isServer = place.rank == 0 && !place.agent_store;
  options.numWorkers = place.size;
  options.waitWorkers = !place.agent_store;
  options.multiTenant = true;
  options.timeout = timeout;
  return c10::make_intrusive<c10d::PrefixStore>(
      fmt::format("alambic/{}", place.attempt),
      c10::make_intrusive<c10d::TCPStore>(place.host, options));
}

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

at::ScalarType sum_type(const Tensor& tensor) {
  return tensor.scalar_type() == at::kBFloat16 || tensor.scalar_type() == at::kHalf
             ? at::kFloat
             : tensor.scalar_type();
}

// Sends tensors in messages of one type and, where they are not larger themselves, of
// bucket_numbers at most: `exchange` changes a message's numbers, which then are the tensors'.
template <class Exchange>
void in_buckets(const std::vector<Tensor>& tensors, const Exchange& exchange) {
  for (size_t first = 0; first < tensors.size();) {
    const at::ScalarType type = sum_type(tensors[first]);
    std::vector<Tensor> flat;
    size_t last = first;
    for (int64_t numbers = 0; last < tensors.size() && sum_type(tensors[last]) == type; ++last) {
      numbers += tensors[last].numel();
      if (last > first && numbers > bucket_numbers) break;
      flat.push_back(tensors[last].detach().reshape({-1}).to(at::kCPU, type));
    }
    Tensor bucket = at::cat(flat);
    exchange(bucket);
    int64_t place = 0;
    for (; first < last; ++first) {
      Tensor target = tensors[first].detach();
      target.copy_(bucket.narrow(0, place, target.numel()).view(target.sizes()));
      place += target.numel();
    }
  }
}

// Of `numbers` from `place` on, of `count` in a row, those of rank `owner`: first and one past the
// last, counted from `place`.
std::pair<int64_t, int64_t> overlap(int64_t place, int64_t numbers, int64_t count, int64_t owner,
                                    int64_t ranks) {
  const int64_t first = std::clamp<int64_t>(count * owner / ranks - place, 0, numbers);
  const int64_t last = std::clamp<int64_t>(count * (owner + 1) / ranks - place, 0, numbers);
  return {first, last};
}

// The first line that is not the same in both.
std::pair<std::string, std::string> different_lines(const std::string& a, const std::string& b) {
  std::istringstream lines_a(a), lines_b(b);
  while (lines_a || lines_b) {
    std::string line_a, line_b;
    std::getline(lines_a, line_a);
    std::getline(lines_b, line_b);
    if (line_a != line_b) return {line_a, line_b};
  }
  return {};
}

// What rank `owner` has of the tensors: flat views, no empty ones.
std::vector<Tensor> parts_of(const std::vector<Tensor>& tensors, int64_t owner, int64_t ranks) {
  int64_t count = 0;
  for (const Tensor& tensor : tensors) count += tensor.numel();
  std::vector<Tensor> parts;
  int64_t place = 0;
  for (const Tensor& tensor : tensors) {
    const auto [first, last] = overlap(place, tensor.numel(), count, owner, ranks);
    if (last > first) parts.push_back(tensor.detach().view({-1}).narrow(0, first, last - first));
    place += tensor.numel();
  }
  return parts;
}

}  // namespace

std::pair<int64_t, int64_t> World::part(int64_t place, int64_t numbers, int64_t count) const {
  return overlap(place, numbers, count, rank(), size());
}

struct World::Link {
  LaunchEnvironment place;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> group;

  Link(const LaunchEnvironment& place, double seconds) : place(place) {
    const auto timeout = std::chrono::milliseconds(static_cast<int64_t>(1000 * seconds));
    try {
      const auto store = meet(place, timeout);
      auto options = c10d::ProcessGroupGloo::Options::create(timeout);
      options->devices = {device_of(place)};
      group = c10::make_intrusive<c10d::ProcessGroupGloo>(store, static_cast<int>(place.rank),
                                                          static_cast<int>(place.size), options);
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
  void run(const std::string& doing, const Start& start) const {
    try {
      start()->wait();
    } catch (const std::exception& error) {
      throw environment_error("rank {} of {}, {}: a rank has ended, hangs or cannot be reached: {}",
                              place.rank, place.size, doing, reason_of(error))
          .with_hint(
              "the rank that ended first says why; --resume goes on from the last checkpoint");
    }
  }

  void add_up(Tensor& numbers, const std::string& doing) const {
    std::vector<Tensor> one = {numbers};
    run(doing, [&] { return group->allreduce(one); });
  }
};

World::World() = default;
World::World(const LaunchEnvironment& place, double seconds) : place_(place) {
  if (place.size > 1) link_ = std::make_unique<Link>(place, seconds);
}
World::~World() = default;
World::World(World&&) noexcept = default;
World& World::operator=(World&&) noexcept = default;

void World::sum(const std::vector<Tensor>& tensors, const std::string& doing) const {
  if (alone()) return;
  const at::NoGradGuard no_grad;
  in_buckets(tensors, [&](Tensor& numbers) { link_->add_up(numbers, doing); });
}

void World::spread(const std::vector<Tensor>& tensors, const std::string& doing) const {
  if (alone()) return;
  const at::NoGradGuard no_grad;
  for (int64_t owner = 0; owner < size(); ++owner) {
    c10d::BroadcastOptions options;
    options.rootRank = owner;
    in_buckets(parts_of(tensors, owner, size()), [&](Tensor& numbers) {
      std::vector<Tensor> message = {numbers};
      link_->run(doing, [&] { return link_->group->broadcast(message, options); });
    });
  }
}

void World::to_first(const Tensor& tensor, int64_t place, int64_t count,
                     const std::string& doing) const {
  if (alone()) return;
  const at::NoGradGuard no_grad;
  if (!leads()) {
    std::vector<Tensor> message = {tensor.contiguous()};
    if (tensor.numel() == 0) return;
    link_->run(doing, [&] { return link_->group->send(message, 0, 0); });
    return;
  }
  const Tensor flat = tensor.view({-1});
  for (int64_t owner = 1; owner < size(); ++owner) {
    const auto [first, last] = overlap(place, flat.numel(), count, owner, size());
    if (first == last) continue;
    std::vector<Tensor> message = {flat.narrow(0, first, last - first)};
    link_->run(doing, [&] { return link_->group->recv(message, static_cast<int>(owner), 0); });
  }
}

double World::sum(double number, const std::string& doing) const {
  if (alone()) return number;
  Tensor one = at::full({1}, number, at::kDouble);
  link_->add_up(one, doing);
  return one.item<double>();
}

int64_t World::sum(int64_t number, const std::string& doing) const {
  if (alone()) return number;
  Tensor one = at::full({1}, number, at::kLong);
  link_->add_up(one, doing);
  return one.item<int64_t>();
}

std::vector<int64_t> World::sum(const std::vector<int64_t>& numbers,
                                const std::string& doing) const {
  std::vector<int64_t> sums;
  const auto* bytes = reinterpret_cast<const char*>(numbers.data());
  for (const std::string& text : gather({bytes, numbers.size() * sizeof(int64_t)}, doing)) {
    std::vector<int64_t> part(text.size() / sizeof(int64_t));
    std::memcpy(part.data(), text.data(), text.size());
    sums.resize(std::max(sums.size(), part.size()), 0);
    for (size_t i = 0; i < part.size(); ++i) sums[i] += part[i];
  }
  return sums;
}

std::vector<std::string> World::gather(const std::string& bytes, const std::string& doing) const {
  if (alone()) return {bytes};
  Tensor sizes = at::zeros({size()}, at::kLong);
  sizes[rank()] = static_cast<int64_t>(bytes.size());
  link_->add_up(sizes, doing);
  const int64_t longest = std::max<int64_t>(1, sizes.max().item<int64_t>());
  Tensor own = at::zeros({longest}, at::kByte);
  std::memcpy(own.data_ptr(), bytes.data(), bytes.size());
  Tensor all = at::empty({size() * longest}, at::kByte);
  link_->run(doing, [&] { return link_->group->_allgather_base(all, own); });
  std::vector<std::string> texts;
  for (int64_t r = 0; r < size(); ++r) {
    texts.emplace_back(static_cast<const char*>(all.data_ptr()) + r * longest,
                       static_cast<size_t>(sizes[r].item<int64_t>()));
  }
  return texts;
}

std::string World::from_first(const std::string& bytes, const std::string& doing) const {
  if (alone()) return bytes;
  return gather(leads() ? bytes : "", doing).front();
}

double World::from_first(double number, const std::string& doing) const {
  return sum(leads() ? number : 0.0, doing);
}

void World::wait_for_all(const std::string& doing) const {
  if (alone()) return;
  link_->run(doing, [&] { return link_->group->barrier(); });
}

void World::require_equal(const std::string& text, const std::string& what) const {
  const std::vector<std::string> texts = gather(text, "comparing the " + what);
  for (size_t r = 1; r < texts.size(); ++r) {
    if (texts[r] == texts.front()) continue;
    const auto [mine, other] = different_lines(texts.front(), texts[r]);
    throw input_error("the {} of rank {} are not those of rank 0: \"{}\", and \"{}\" there", what,
                      r, other, mine)
        .with_hint("every rank of a job runs the same command on the same files");
  }
}

}  // namespace alambic
