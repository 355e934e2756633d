#include "sweep/cell_settings.hpp"

#include <algorithm>

namespace fleet {

const Setting* CellSettings::find(std::string_view key) const {
  for (const auto& [own, setting] : own_) {
    if (own == key) return &setting;
  }
  const auto found = shared_->find(key);
  return found == shared_->end() ? nullptr : &found->second;
}

Settings CellSettings::whole() const {
  Settings whole = *shared_;
  for (const auto& [key, setting] : own_) whole.insert_or_assign(key, setting);
  return whole;
}

CellSettings SettingsPool::add(const Settings& whole, bool& is_new) {
  const auto same_keys = [&](const std::shared_ptr<const Settings>& shared) {
    return std::ranges::equal(*shared, whole, [](const auto& a, const auto& b) { return a.first == b.first; });
  };
  const auto known = std::ranges::find_if(shared_, same_keys);
  is_new = known == shared_.end();
  if (is_new) {
    shared_.insert(shared_.begin(), std::make_shared<const Settings>(whole));
  } else {
    std::rotate(shared_.begin(), known, known + 1);
  }
  CellSettings settings;
  settings.shared_ = shared_.front();
  auto shared = shared_.front()->begin();
  for (const auto& item : whole) {
    if (!(shared->second.value == item.second.value)) settings.own_.push_back(item);
    ++shared;
  }
  return settings;
}

}  // namespace fleet
