// The settings of many cells, of which each differs from the others in a few: what they share stands once.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "base/settings.hpp"

namespace fleet {

/// Every key that applies to a cell, defaults included.
class CellSettings {
 public:
  CellSettings() : shared_(std::make_shared<Settings>()) {}
  CellSettings(Settings whole) : shared_(std::make_shared<Settings>(std::move(whole))) {}  // NOLINT: it is them

  /// The setting of `key`, or null.
  [[nodiscard]] const Setting* find(std::string_view key) const;
  [[nodiscard]] bool contains(std::string_view key) const { return shared_->contains(key); }
  [[nodiscard]] Settings whole() const;

 private:
  friend class SettingsPool;
  std::shared_ptr<const Settings> shared_;
  std::vector<Settings::value_type> own_;  // with keys that are shared, but other values; in the order of keys
};

/// Puts settings into the form above.
class SettingsPool {
 public:
  /// `is_new`: no settings before had the same keys.
  [[nodiscard]] CellSettings add(const Settings& whole, bool& is_new);

 private:
  std::vector<std::shared_ptr<const Settings>> shared_;  // each with keys of its own; the last one used is first
};

}  // namespace fleet
