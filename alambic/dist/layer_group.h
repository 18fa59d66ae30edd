// Tensors of one layer whose numbers lie in one row, of which each rank keeps an equal part.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "alambic/dist/world.h"

namespace alambic {

/// Place of weights between the passes that need them.
enum class WeightSource {
  resident,  ///< whole on every rank
  gathered,  ///< a part on every rank; whole ones come from the others
  divided,   ///< the same, but in passes what needs a tensor comes to the rank that has it: whole
             ///< ones come only where weights are held
  host       ///< whole in the machine's memory, apart from the device's
};

/// A tensor of that shape, type and device that has no memory to speak of.
Tensor hollow(at::IntArrayRef sizes, const at::TensorOptions& options);

/// Sum of a contiguous tensor's numbers, each as an integer of its bits, wrapping: that of parts
/// adds up.
int64_t sum_of_bits(const Tensor& numbers);

/// Tensors of one dtype, trained or frozen, that come and go together. Between passes a tensor that
/// is not resident keeps its shape and has no numbers, but those of a divided row that lie in this
/// rank's part of it; a tensor that is a divided row alone has then this rank's rows only. Fully
/// Sharded Data Parallel's flat parameter (Zhao et al., arXiv 2304.11277) without views that a
/// model would have to know of.
class LayerGroup {
 public:
  /// Takes over `numbers`, those of `tensors` (of their shapes and dtype, on any device); `what` is
  /// told in messages ("layer 3"). They are summed up once, and what comes later must have the same
  /// sum: frozen ones whenever they come, trained ones the first time.
  LayerGroup(std::vector<Tensor> tensors, const std::vector<Tensor>& numbers,
             std::shared_ptr<const World> world, WeightSource source, std::string what);

  /// Begins to bring the numbers; nothing where they are or come already.
  void fetch(const std::string& doing);
  /// Returns when they are there. An environment error where their sum is another.
  void wait();
  /// Compares the sum of the ranks' parts with that of what was taken over, without bringing them.
  /// Before anything is learned; all ranks call it. Errors as wait().
  void verify(const std::string& doing) const;
  /// Lets whole numbers go. What was written to this rank's part of them stays.
  void release();
  bool here() const { return whole_.defined(); }
  bool comes_and_goes() const { return source_ != WeightSource::resident; }
  bool divided() const { return source_ == WeightSource::divided; }
  /// Bytes of all numbers, those between tensors counted.
  int64_t bytes() const { return count_ * element_; }

  bool trained() const { return trained_; }
  const std::string& what() const { return what_; }
  int64_t sum() const { return sum_; }      ///< sum_of_bits of what was taken over
  int64_t count() const { return count_; }  ///< numbers in the row, a multiple of the ranks
  int64_t size() const { return static_cast<int64_t>(tensors_.size()); }
  const Tensor& tensor(int64_t i) const { return tensors_[i]; }
  int64_t place(int64_t i) const { return places_[i]; }  ///< of a tensor's first number
  const std::vector<int64_t>& shape(int64_t i) const { return shapes_[i]; }  ///< of a whole tensor
  const World& world() const { return *world_; }

  /// This rank's part of the row, and of the gradients' row in float32 (undefined: none came).
  const Tensor& part() const { return part_; }
  const Tensor& gradient() const { return gradient_; }
  /// Adds the tensors' gradients of all ranks up, those of this rank's part to gradient(), and
  /// clears them. A tensor without one counts as zeros. All ranks call it. Of divided tensors only
  /// the rank that has it has a gradient, which is that of all ranks' passes.
  void reduce_gradients(const std::string& doing);
  void clear_gradients() { gradient_ = Tensor(); }
  /// Makes resident numbers those of the ranks' parts.
  void share(const std::string& doing);

 private:
  void point_to(const Tensor& row);
  void let_go();
  void require_sum(int64_t sum) const;
  bool cut() const { return divided() && tensors_.size() == 1; }
  Tensor own_part(const Tensor& row) const;

  std::vector<Tensor> tensors_;
  std::vector<int64_t> places_;
  std::vector<std::vector<int64_t>> shapes_;
  std::shared_ptr<const World> world_;
  WeightSource source_;
  std::string what_;
  bool trained_ = false;
  int64_t count_ = 0, element_ = 0;
  Tensor part_;                        // resident: a piece of whole_
  Tensor on_host_;                     // of WeightSource::host
  Tensor whole_;                       // undefined: gone
  Message coming_;                     // from other ranks
  std::function<void()> copied_ = {};  // from the host: makes the device wait for it
  bool unchecked_ = false;             // fetched and not yet looked at
  bool came_ = false;                  // once at least
  int64_t sum_ = 0;                    // of the bits of the row that was taken over
  Tensor gradient_;
};

}  // namespace alambic
