// Data of a world that many cells share: loaded once, whoever comes first.
#pragma once

#include <map>
#include <string>

#include "base/error.hpp"

namespace fleet {

/// Data by what they are loaded from.
template <class Key, class Data>
class LoadedData {
 public:
  /// Constructs Data from `arguments` unless it has been tried before. Its Error, the same on every rank, is kept for
  /// at(): it ends the cells that need the data, not the sweep.
  template <class... Arguments>
  void load(const Key& key, Arguments&&... arguments) {
    if (data_.contains(key) || damaged_.contains(key)) return;
    try {
      data_.try_emplace(key, std::forward<Arguments>(arguments)...);
    } catch (const Error& error) {
      damaged_.emplace(key, error.what());
    }
  }

  /// Error, as it was when they were loaded, where they could not be.
  const Data& at(const Key& key) const {
    if (const auto damaged = damaged_.find(key); damaged != damaged_.end()) throw Error(damaged->second);
    return data_.at(key);
  }

 private:
  std::map<Key, Data> data_;
  std::map<Key, std::string> damaged_;  // why it could not be loaded
};

}  // namespace fleet
