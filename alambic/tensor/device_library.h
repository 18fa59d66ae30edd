// Libraries with what only a GPU's tools can build, beside this one.
#pragma once

#include <string>

namespace alambic {

/// A library that stays loaded.
class DeviceLibrary {
 public:
  /// A relative path is one from this library's folder.
  explicit DeviceLibrary(const std::string& path);

  const std::string& path() const { return path_; }
  /// Why it cannot be loaded; empty: it is.
  const std::string& problem() const { return problem_; }
  /// Null: it shows none of that name.
  template <class F>
  F* function(const char* name) const {
    return reinterpret_cast<F*>(symbol(name));
  }

 private:
  void* symbol(const char* name) const;

  std::string path_, problem_;
  void* handle_ = nullptr;
};

}  // namespace alambic
