#include "alambic/rollout/device_slots.h"

#include <algorithm>

#include "alambic/base/error.h"

namespace alambic {

DeviceSlots::DeviceSlots(std::span<const Request> requests,
                         const std::vector<Completion>& completions, std::shared_ptr<KvPages> pages,
                         std::vector<KvCache*> caches, int64_t ahead, at::Device device)
    : requests_(requests),
      completions_(completions),
      pages_(std::move(pages)),
      caches_(std::move(caches)),
      ahead_(ahead),
      pages_of_slot_(pages_->pages_for(caches_.front()->capacity)),
      room_(pages_, caches_, 1 + std::ssize(caches_.front()->lengths) * pages_of_slot_, device) {
  const int64_t slots = std::ssize(caches_.front()->lengths);
  for (int64_t slot = slots; slot-- > 0;) free_slots_.push_back(slot);
  for (size_t i = 0; i < requests.size(); ++i) waiting_.push_back(i);
  room_.provide(pages_of_next(slots));  // at once, if there is the memory
}

std::vector<int32_t> DeviceSlots::tokens_of(size_t request) const {
  std::vector<int32_t> tokens = requests_[request].prompt;
  const std::vector<int32_t>& drawn = completions_[request].tokens;
  tokens.insert(tokens.end(), drawn.begin(), drawn.end());
  return tokens;
}

// Pages of its own that a sequence takes before it is looked at again.
int64_t DeviceSlots::pages_until_read(int64_t tokens, bool alike) const {
  const int64_t all = std::min(pages_->pages_for(tokens + ahead_), pages_of_slot_);
  return all - (alike ? tokens / pages_->size() : 0);
}

int64_t DeviceSlots::pages_of_next(int64_t count) const {
  int64_t pages = 0;
  for (int64_t i = 0; i < count; ++i) {
    const std::vector<int32_t>& prompt = requests_[i].prompt;
    pages += pages_until_read(std::ssize(prompt), i > 0 && requests_[i - 1].prompt == prompt);
  }
  return pages;
}

DeviceSlots::Begun DeviceSlots::begin(int64_t most_tokens) {
  Begun begun;
  std::vector<int32_t> last;
  int64_t pages = 0;  // that those which begin will take
  while (!waiting_.empty() && !free_slots_.empty() && !full_) {
    const std::vector<int32_t> tokens = tokens_of(waiting_.front());
    const bool alike = tokens == last;
    const int64_t length = std::ssize(tokens), slot = free_slots_.back();
    const int64_t size = std::ssize(begun.tokens) + (alike ? 0 : length);
    if (!begun.slots.empty() && size > most_tokens) break;
    pages += pages_until_read(length, alike);
    full_ = !room_.provide(pages);
    if (full_) break;
    if (alike) {
      pages_->share(begun.slots.back(), slot, length);
      begun.alike.emplace_back(begun.slots.back(), slot);
    } else {
      pages -= room_.own({{slot, 0, length}}).value();
      begun.tokens.insert(begun.tokens.end(), tokens.begin(), tokens.end());
      begun.offsets.push_back(size);
      begun.slots.push_back(slot);
      last = tokens;
    }
    begun.drawing_rows.push_back(size - 1);
    running_.push_back({waiting_.front(), slot});
    waiting_.pop_front();
    free_slots_.pop_back();
  }
  if (running_.empty() && !waiting_.empty()) throw no_room(waiting_.front());
  return begun;
}

DeviceSlots::Changed DeviceSlots::make_room(int64_t passes) {
  for (bool all = true;; all = false) {
    std::vector<KvPages::Entries> entries;
    for (const Running& running : running_) {
      entries.push_back({running.slot, length(running), length(running) + passes});
    }
    if (const std::optional<int64_t> changed = room_.own(entries)) {
      if (!all) return Changed::sequences;
      return *changed > 0 ? Changed::pages : Changed::nothing;
    }
    if (running_.size() == 1) throw no_room(running_.front().request);
    waiting_.push_front(running_.back().request);
    release(running_.back().slot);
    running_.pop_back();
    full_ = true;
  }
}

std::vector<int64_t> DeviceSlots::of_rows(int64_t rows) const {
  std::vector<int64_t> slots;
  for (const Running& running : running_) slots.push_back(running.slot);
  if (std::ssize(slots) < rows) slots.resize(static_cast<size_t>(rows), free_slots_.back());
  return slots;
}

void DeviceSlots::passed() {
  for (KvCache* cache : caches_) {
    for (const Running& running : running_) ++cache->lengths[running.slot];
  }
}

std::vector<int64_t> DeviceSlots::page_table(int64_t rows) const {
  std::vector<int64_t> table;
  for (const Running& running : running_) {
    const std::vector<int64_t>& pages = pages_->of(running.slot);
    table.insert(table.end(), pages.begin(), pages.end());
    table.resize(table.size() + pages_of_slot_ - pages.size(), KvPages::nobodys);
  }
  table.resize(static_cast<size_t>(rows * pages_of_slot_), KvPages::nobodys);
  return table;
}

int64_t DeviceSlots::end(size_t first, const std::vector<bool>& ended) {
  size_t still_running = first;
  for (size_t i = 0; i < ended.size(); ++i) {
    const Running running = running_[first + i];
    if (ended[i]) {
      release(running.slot);
    } else {
      running_[still_running++] = running;
    }
  }
  const auto count = static_cast<int64_t>(running_.size() - still_running);
  running_.resize(still_running);
  if (count > 0) full_ = false;
  return count;
}

void DeviceSlots::release(int64_t slot) {
  for (KvCache* cache : caches_) cache->lengths[slot] = 0;
  pages_->release(slot);
  free_slots_.push_back(slot);
}

Error DeviceSlots::no_room(size_t request) const {
  int64_t bytes = 0;
  for (const KvCache* cache : caches_) bytes += cache->page_bytes();
  return environment_error(
             "not enough memory on the device for the keys and values of request {}: {} bytes for "
             "each {} of its tokens, of which there are {} so far",
             request, bytes, pages_->size(), tokens_of(request).size())
      .with_hint("let completions be shorter, or use a smaller model");
}

}  // namespace alambic
