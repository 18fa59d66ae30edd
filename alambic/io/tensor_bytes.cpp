#include "alambic/io/tensor_bytes.h"

#include "alambic/base/error.h"

namespace alambic {

TensorBytes::TensorBytes(size_t size, std::function<std::vector<std::byte>()> make)
    : size_(size), made_(std::make_shared<Made>()) {
  made_->make = std::move(make);
}

const std::byte* TensorBytes::made() const {
  std::call_once(made_->once, [this] {
    made_->bytes = made_->make();
    check(made_->bytes.size() == size_, "{} bytes of a tensor were made instead of {}",
          made_->bytes.size(), size_);
    made_->make = nullptr;  // and what it keeps
  });
  return made_->bytes.data();
}

}  // namespace alambic
