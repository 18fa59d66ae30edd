#include "alambic/train/part_files.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "alambic/base/error.h"
#include "alambic/io/safetensors.h"
#include "alambic/tensor/view.h"

namespace alambic {
namespace {

constexpr char mark = '@';

/// Numbers of a tensor that lie side by side in one file.
struct Piece {
  int64_t first = 0, count = 0;  // among the tensor's numbers
  const TensorView* view = nullptr;
};

int64_t count_of(const std::vector<int64_t>& shape) { return c10::multiply_integers(shape); }

// Tensors of several files by name, their pieces in order.
class TensorPieces {
 public:
  explicit TensorPieces(const std::vector<std::filesystem::path>& files) {
    for (const auto& path : files) files_.push_back(SafetensorsFile::open(path));
    for (const SafetensorsFile& file : files_) {
      for (const TensorView& view : file.tensors()) add(view);
    }
    for (auto& [name, pieces] : pieces_) std::ranges::sort(pieces, {}, &Piece::first);
  }

  size_t size() const { return pieces_.size(); }

  // Of a tensor of that shape; an input error where they are not all of its numbers, once each.
  const std::vector<Piece>& of(const TensorPart& target, const std::string& where) const {
    const auto found = pieces_.find(target.name);
    int64_t next = -1;
    if (found != pieces_.end()) {
      next = 0;
      for (const Piece& piece : found->second) {
        if (piece.first != next) break;
        next += piece.count;
      }
    }
    if (next == count_of(target.shape) && has_shape(found->second, target)) return found->second;
    throw input_error("{} has no tensor {} of this run's shape", where, target.name);
  }

 private:
  void add(const TensorView& view) {
    const size_t place = view.name.rfind(mark);
    Piece piece{.count = count_of(view.shape), .view = &view};
    if (place != std::string::npos) {
      const char* end = view.name.data() + view.name.size();
      std::from_chars(view.name.data() + place + 1, end, piece.first);
    }
    pieces_[view.name.substr(0, place)].push_back(piece);
  }
  static bool has_shape(const std::vector<Piece>& pieces, const TensorPart& target) {
    return pieces.size() > 1 || pieces.front().view->shape == target.shape;
  }

  std::vector<SafetensorsFile> files_;
  std::map<std::string, std::vector<Piece>> pieces_;
};

// Numbers first … first + count of the piece.
Tensor numbers_of(const Piece& piece, int64_t first, int64_t count, const Tensor& like) {
  TensorView view = *piece.view;
  const size_t element = view.bytes.size() / static_cast<size_t>(piece.count);
  view.shape = {count};
  view.bytes = view.bytes.subspan(static_cast<size_t>(first) * element,
                                  static_cast<size_t>(count) * element);
  return to_tensor(view, like.scalar_type(), like.device());
}

}  // namespace

std::string part_file(const std::string& stem, const World& world) {
  if (world.alone()) return stem + ".safetensors";
  return fmt::format("{}-{:05}-of-{:05}.safetensors", stem, world.rank() + 1, world.size());
}

bool is_part_file(const std::string& name, const std::string& stem) {
  return name.ends_with(".safetensors") &&
         (name.starts_with(stem + ".") || name.starts_with(stem + "-"));
}

bool write_parts(const std::filesystem::path& file, const std::vector<TensorPart>& parts,
                 const std::function<void()>& progress) {
  std::vector<TensorSource> tensors;
  for (const TensorPart& part : parts) {
    if (part.again || (part.part.numel() == 0 && !part.is_whole())) continue;
    const bool whole = part.is_whole();
    const auto numbers = [tensor = part.part, progress] {
      if (progress) progress();
      return tensor.detach();
    };
    tensors.push_back(
        source_of(whole ? part.name : fmt::format("{}{}{}", part.name, mark, part.first),
                  part.part.scalar_type(),
                  whole ? part.shape : std::vector<int64_t>{part.part.numel()}, numbers));
  }
  if (tensors.empty()) return false;
  write_safetensors(file, std::move(tensors), {{"format", "pt"}});
  return true;
}

void read_parts(const std::vector<std::filesystem::path>& files,
                const std::vector<TensorPart>& targets) {
  const at::NoGradGuard no_grad;
  const TensorPieces pieces(files);
  const std::string where = files.empty() ? "the checkpoint" : files.front().string();
  if (pieces.size() != targets.size()) {
    throw input_error("{} holds {} tensors, this run has {}", where, pieces.size(), targets.size());
  }
  for (const TensorPart& target : targets) {
    Tensor part = target.part;
    const int64_t end = target.first + part.numel();
    // A weight of one process may lie in memory in another order.
    Tensor flat =
        part.is_contiguous() ? part.view({-1}) : at::empty({part.numel()}, part.options());
    for (const Piece& piece : pieces.of(target, where)) {
      const int64_t first = std::max(piece.first, target.first);
      const int64_t count = std::min(piece.first + piece.count, end) - first;
      if (count <= 0) continue;
      flat.narrow(0, first - target.first, count)
          .copy_(numbers_of(piece, first - piece.first, count, part));
    }
    if (!part.is_contiguous()) part.copy_(flat.view(part.sizes()));
  }
}

}  // namespace alambic
