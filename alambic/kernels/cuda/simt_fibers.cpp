#include <setjmp.h>  // NOLINT(modernize-deprecated-headers): _setjmp, which saves no signal mask
#include <ucontext.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "alambic/kernels/cuda/simt_fibers.h"

namespace simt {
namespace {

constexpr size_t stack_bytes = 64 << 10, shared_limit = 48 << 10;
constexpr unsigned most_threads = 1024, most_rows = 65535;

// Threads that have arrived, and how often all have.
struct Barrier {
  unsigned arrived = 0, generation = 0;
  Site site = {};  // of the first one
};

struct Fiber {
  std::unique_ptr<char[]> stack;
  jmp_buf place;
  bool started = false;  // it has a stack of calls, at `place`
  bool done = true;
  const Barrier* at = nullptr;  // what it waits for, until the generation is past this one
  unsigned generation = 0;
  uint64_t shown[2] = {};  // by turns: the next one is written while the last is still read
  unsigned turn = 0;

  bool can_run() const { return !done && (at == nullptr || at->generation != generation); }
};

struct SharedPart {
  int site;
  size_t begin;
};

struct Block {
  std::vector<Fiber> fibers;
  std::vector<char> memory = std::vector<char>(shared_limit);
  std::vector<SharedPart> parts;
  std::vector<Barrier> warps;
  Barrier all;
  jmp_buf home;
  unsigned now = 0, count = 0;
  size_t used = 0;
  const std::function<void()>* body = nullptr;
  std::exception_ptr error;
};

std::atomic<Order> order = Order::ascending;
std::atomic<int> sites = 0;
std::atomic<int64_t> kernels_run = 0;
thread_local std::unique_ptr<Block> block;

Fiber& self() { return block->fibers[block->now]; }

void yield() {
  if (_setjmp(self().place) == 0) _longjmp(block->home, 1);
}

std::string text_of(const Site& site) {
  return std::string(site.file_name()) + ":" + std::to_string(site.line());
}

void wait(Barrier& barrier, unsigned count, const Site& site) {
  if (barrier.arrived == 0) {
    barrier.site = site;
  } else if (barrier.site.line() != site.line() ||
             std::strcmp(barrier.site.file_name(), site.file_name()) != 0) {
    throw std::logic_error("threads wait at different barriers: " + text_of(barrier.site) +
                           " and " + text_of(site));
  }
  if (++barrier.arrived == count) {
    barrier.arrived = 0;
    ++barrier.generation;
    return;
  }
  self().at = &barrier;
  self().generation = barrier.generation;
  yield();
  self().at = nullptr;
}

// A fiber lives on from block to block: making one costs more than most kernels run.
void enter() {
  for (;;) {
    try {
      (*block->body)();
    } catch (...) {
      block->error = std::current_exception();
    }
    self().done = true;
    yield();
  }
}

void start(Fiber& fiber) {
  ucontext_t context;
  ::getcontext(&context);
  if (!fiber.stack) fiber.stack = std::make_unique_for_overwrite<char[]>(stack_bytes);
  context.uc_stack.ss_sp = fiber.stack.get();
  context.uc_stack.ss_size = stack_bytes;
  context.uc_link = nullptr;
  ::makecontext(&context, &enter, 0);
  fiber.started = true;
  ::setcontext(&context);
}

// Lets fiber i run until it waits or ends.
void give_turn(unsigned i) {
  block->now = i;
  threadIdx = {i % blockDim.x, i / blockDim.x % blockDim.y, i / (blockDim.x * blockDim.y)};
  if (_setjmp(block->home) != 0) return;
  Fiber& fiber = self();
  if (fiber.started) _longjmp(fiber.place, 1);
  start(fiber);
}

[[noreturn]] void tell_deadlock() {
  unsigned ended = 0, waiting = 0;
  std::string where;
  for (unsigned i = 0; i < block->count; ++i) {
    const Fiber& fiber = block->fibers[i];
    ended += fiber.done;
    waiting += !fiber.done;
    if (!fiber.done && where.empty()) where = text_of(fiber.at->site);
  }
  throw std::logic_error(std::to_string(waiting) + " threads of a block wait at " + where +
                         ", a barrier that not every thread reaches (" + std::to_string(ended) +
                         " have ended)");
}

// Runs one warp as far as it comes without the others: what it must not overtake, it overtakes.
// False when it could not move.
template <class At>
bool run_warp(unsigned warp, const At& at) {
  bool moved = false;
  for (bool someone = true; someone; moved |= someone) {
    someone = false;
    for (unsigned lane = 0; lane < warp_size; ++lane) {
      const unsigned i = warp * warp_size + at(lane, warp_size);
      if (!block->fibers[i].can_run()) continue;
      someone = true;
      give_turn(i);
      if (block->error) std::rethrow_exception(block->error);
    }
  }
  return moved;
}

void run_block() {
  Block& b = *block;
  for (unsigned i = 0; i < b.count; ++i) {
    b.fibers[i].done = false;
    b.fibers[i].at = nullptr;
  }
  b.parts.clear();
  std::ranges::fill(b.memory, '\xff');  // NaN: nothing has been written
  b.all = {};
  std::ranges::fill(b.warps, Barrier{});
  const bool backward = order == Order::descending;
  const auto at = [&](unsigned i, unsigned count) { return backward ? count - 1 - i : i; };
  const auto warps = static_cast<unsigned>(b.warps.size());
  for (bool someone = true; someone;) {
    someone = false;
    for (unsigned w = 0; w < warps; ++w) someone |= run_warp(at(w, warps), at);
  }
  if (!std::ranges::all_of(b.fibers, &Fiber::done)) tell_deadlock();
}

void check_launch(dim3 grid, dim3 size, size_t shared_bytes) {
  const unsigned count = size.x * size.y * size.z;
  if (count == 0 || count > most_threads || count % warp_size != 0) {
    throw std::logic_error("a block of " + std::to_string(count) + " threads");
  }
  if (grid.y > most_rows || grid.z > most_rows) {
    throw std::logic_error("a grid of " + std::to_string(grid.y) + " x " + std::to_string(grid.z));
  }
  if (shared_bytes > shared_limit) {
    throw std::logic_error(std::to_string(shared_bytes) + " bytes of shared memory");
  }
}

}  // namespace

void set_order(Order wanted) { order = wanted; }

int new_site() { return sites++; }

int64_t launches() { return kernels_run; }

void* shared_memory(int site, size_t bytes) {
  for (const SharedPart& part : block->parts) {
    if (part.site == site) return block->memory.data() + part.begin;
  }
  const size_t begin = block->used;
  if (begin + bytes > shared_limit) throw std::logic_error("more shared memory than a block has");
  block->parts.push_back({site, begin});
  block->used = (begin + bytes + 15) / 16 * 16;
  return block->memory.data() + begin;
}

void* dynamic_shared_memory() { return block->memory.data(); }

void wait_for_block(const Site& site) { wait(block->all, block->count, site); }

void wait_for_warp(const Site& site) {
  wait(block->warps[block->now / warp_size], warp_size, site);
}

unsigned lane() { return block->now % warp_size; }

uint64_t exchange(uint64_t value, unsigned lane, const Site& site) {
  Fiber& fiber = self();
  const unsigned turn = fiber.turn ^= 1;
  fiber.shown[turn] = value;
  wait_for_warp(site);
  return block->fibers[block->now / warp_size * warp_size + lane].shown[turn];
}

void run(dim3 grid, dim3 size, size_t shared_bytes, const std::function<void()>& body) {
  check_launch(grid, size, shared_bytes);
  ++kernels_run;
  if (!block) block = std::make_unique<Block>();
  Block& b = *block;
  b.count = size.x * size.y * size.z;
  // Only more, never fewer: the next kernel may want them again.
  if (b.fibers.size() < b.count) b.fibers.resize(b.count);
  b.warps.resize(b.count / warp_size);
  b.body = &body;
  blockDim = size;
  gridDim = grid;
  try {
    for (unsigned z = 0; z < grid.z; ++z) {
      for (unsigned y = 0; y < grid.y; ++y) {
        for (unsigned x = 0; x < grid.x; ++x) {
          blockIdx = {x, y, z};
          b.used = (shared_bytes + 15) / 16 * 16;
          run_block();
        }
      }
    }
  } catch (...) {
    block.reset();  // fibers that are in the middle of a kernel are of no more use
    throw;
  }
}

}  // namespace simt
