// Which requests run on a device, in which slots and pages of its caches, and which wait for some.
#pragma once

#include <deque>
#include <optional>
#include <span>
#include <utility>

#include "alambic/rollout/engine.h"
#include "alambic/rollout/page_room.h"

namespace alambic {

/// Requests begin in their order. Where the device has no memory for more pages they wait, and then
/// the sequence that came last waits too, until another has ended; it is read again with what it
/// has drawn.
class DeviceSlots {
 public:
  struct Running {
    size_t request;
    int64_t slot;
  };
  /// What is read so that sequences begin: `prompts` of them, prompt i in slot slots[i]; prompts
  /// in a row that are alike are one. Of each sequence, the row that its next token is drawn from.
  struct Begun {
    std::vector<int64_t> tokens, offsets = {0}, slots, drawing_rows;
    std::vector<std::pair<int64_t, int64_t>> alike;  ///< slots: of a prompt that is read, and alike
  };

  /// `caches`, in `pages`, have as many slots of that capacity; a sequence is looked at again when
  /// it has written `ahead` more entries. All of what is given outlives it.
  DeviceSlots(std::span<const Request> requests, const std::vector<Completion>& completions,
              std::shared_ptr<KvPages> pages, std::vector<KvCache*> caches, int64_t ahead,
              at::Device device);

  /// The one that came last is the last.
  const std::vector<Running>& running() const { return running_; }
  bool done() const { return running_.empty() && waiting_.empty(); }
  /// Entries of the sequence's slot.
  int64_t length(const Running& running) const { return caches_.front()->lengths[running.slot]; }

  /// Lets the next requests begin that fit into a pass of so many tokens, behind those that run. No
  /// tokens: none can yet.
  Begun begin(int64_t most_tokens);
  enum class Changed { nothing, pages, sequences };
  /// Makes room for the entries that the running sequences write in some passes.
  Changed make_room(int64_t passes);
  /// The slots of a pass's rows: those of the running sequences, and behind them one that is free
  /// for rows that only fill up.
  std::vector<int64_t> of_rows(int64_t rows) const;
  /// Their pages, [rows, pages_of_slot()]; nobody's where there is none, or none yet.
  std::vector<int64_t> page_table(int64_t rows) const;
  int64_t pages_of_slot() const { return pages_of_slot_; }
  /// Whether keys and values lie elsewhere than when this was asked before.
  bool moved() { return std::exchange(known_pages_, pages_->count()) != pages_->count(); }
  /// Counts what a pass has written.
  void passed();
  /// Frees the slots of running()[first + i] where ended[i]; how many that were.
  int64_t end(size_t first, const std::vector<bool>& ended);

  /// Prompt of a request, and what it has drawn.
  std::vector<int32_t> tokens_of(size_t request) const;

 private:
  int64_t pages_of_next(int64_t count) const;
  int64_t pages_until_read(int64_t tokens, bool alike) const;
  void release(int64_t slot);
  Error no_room(size_t request) const;

  std::span<const Request> requests_;
  const std::vector<Completion>& completions_;
  std::shared_ptr<KvPages> pages_;
  std::vector<KvCache*> caches_;
  int64_t ahead_, pages_of_slot_;
  PageRoom room_;
  std::vector<int64_t> free_slots_;  // the next one last
  std::vector<Running> running_;
  std::deque<size_t> waiting_;  // the next one first
  int64_t known_pages_ = 0;     // when moved() was asked
  bool full_ = false;           // no other one begins until one has ended
};

}  // namespace alambic
