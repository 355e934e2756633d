// Experts that work what is fixed to the table: buttons, doors, drawers, faucets, handles, windows.
#include "metaworld/expert_stages.hpp"

namespace fleet::metaworld::experts {

Move button_press_topdown(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  return {apart(h, o) > 0.04 ? up(o, 0.1) : o, 25, 1};
}

Move button_press_topdown_wall(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const Vec3 button = o + Vec3(0, -0.06, 0);
  return {apart(h, button) > 0.04 ? up(button, 0.1) : button, 25, -1};
}

Move button_press(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const Vec3 button = up(o, -0.07);
  const auto close = [](double a, double b) { return std::abs(a - b) <= 0.02 + 1e-5 * std::abs(b); };
  const bool aligned = close(h.x(), button.x()) && close(h.z(), button.z());
  return {aligned ? button + Vec3(0, 0.02, 0) : Vec3(button.x(), h.y() - 0.1, button.z()), 25, 0};
}

Move button_press_wall(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const Vec3 button = up(o, 0.04);
  if (std::abs(h.x() - button.x()) > 0.02) return {{button.x(), h.y(), 0.3}, 15, 1};
  if (button.y() - h.y() > 0.09) return {{button.x(), button.y(), 0.3}, 15, 1};
  if (rise(h, button) > 0.02) return {button + Vec3(0, -0.05, 0), 15, 1};
  return {button + Vec3(0, -0.02, 0), 15, -1};
}

Move coffee_button(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const Vec3 button = up(o, -0.07);
  const bool aligned = std::hypot(h.x() - button.x(), h.z() - button.z()) <= 0.02;
  return {aligned ? button + Vec3(0, 0.2, 0) : Vec3(button.x(), h.y(), button.z()), 10, -1};
}

Move dial_turn(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const Vec3 dial = o + Vec3(0.05, 0.02, 0.09);
  if (apart(h, dial) > 0.02) return {{dial.x(), dial.y(), 0.2}, 10, 1};
  if (rise(h, dial) > 0.02) return {dial, 10, 1};
  return {dial + Vec3(-0.05, 0.005, 0), 10, 1};
}

Move door_open(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const Vec3 door = o + Vec3(-0.05, 0, 0);
  if (apart(h, door) > 0.12) return {door + Vec3(0.06, 0.02, 0.2), 25, 1};
  if (rise(h, door) > 0.04) return {door + Vec3(0.06, 0.02, 0), 25, 1};
  return {door, 25, 1};
}

Move door_close(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const Vec3 door = o + Vec3(0.05, 0.12, 0.1);
  if (h.x() > door.x()) {  // over the door to its other side
    if (h.z() < door.z() + 0.2) return {{h.x(), h.y(), door.z() + 0.25}, 25, 1};
    return {{door.x() - 0.02, door.y(), h.z()}, 25, 1};
  }
  if (rise(h, door) > 0.04) return {door + Vec3(-0.02, 0, 0), 25, 1};
  return {g, 25, 1};
}

Move door_lock(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const Vec3 lock = o + Vec3(-0.02, -0.02, 0);
  if (apart(h, lock) > 0.02) return {h.z() < 0.25 ? h + Vec3(0, -0.1, 0.1) : up(lock, 0.3), 25, -1};
  if (rise(h, lock) > 0.02) return {lock, 25, -1};
  return {lock + Vec3(-0.1, 0, -0.1), 25, -1};
}

Move door_unlock(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const Vec3 lock = o + Vec3(-0.04, -0.02, -0.03);
  if (apart(h, lock) > 0.02) return {h.z() > 0.15 ? h + Vec3(0, -0.1, -0.1) : lock, 25, 1};
  return {lock + Vec3(0.1, 0, 0.01), 25, 1};
}

Move drawer_open(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const Vec3 handle = up(o, -0.02);
  if (apart(h, handle) > 0.06) return {up(handle, 0.3), 4, -1};
  if (rise(h, handle) > 0.04) return {handle, 4, -1};
  return {handle + Vec3(0, -0.06, 0), 50, -1};
}

Move drawer_close(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const Vec3 handle = up(o, -0.02);
  if (h.y() > handle.y()) {  // over the drawer to its front
    if (h.z() < handle.z() + 0.23) return {{h.x(), h.y(), handle.z() + 0.5}, 25, 1};
    return {handle + Vec3(0, -0.075, 0.23), 25, 1};
  }
  if (rise(h, handle) > 0.04) return {handle + Vec3(0, -0.075, 0), 25, 1};
  return {handle, 25, 1};
}

namespace {

/// Turns a faucet towards +x (side 1) or -x (side -1).
Move turn_faucet(const View& view, double side) {
  const auto& [h, o, o2, g, opening] = view;
  const Vec3 handle = o + Vec3(-0.04 * side, 0, 0.03);
  if (apart(h, handle) > 0.04) return {up(handle, 0.1), 25, 1};
  if (rise(h, handle) > 0.04) return {handle, 25, 1};
  return {handle + Vec3(0.1 * side, 0.05, 0), 25, 1};
}

/// Slides a window towards +x (side 1) or -x (side -1), coming from `height` above it.
Move slide_window(const View& view, double side, double height) {
  const auto& [h, o, o2, g, opening] = view;
  const Vec3 handle = o + Vec3(-0.03 * side, -0.03, -0.08);
  if (apart(h, handle) > 0.04) return {up(handle, height), 25, 1};
  if (rise(h, handle) > 0.02) return {handle, 25, 1};
  return {handle + Vec3(0.1 * side, 0, 0), 25, 1};
}

}  // namespace

Move faucet_open(const View& view) {
  return turn_faucet(view, 1);
}

Move faucet_close(const View& view) {
  return turn_faucet(view, -1);
}

Move window_open(const View& view) {
  return slide_window(view, 1, 0.3);
}

Move window_close(const View& view) {
  return slide_window(view, -1, 0.25);
}

Move handle_press(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const Vec3 handle = o + Vec3(0, -0.02, 0);
  return {apart(h, handle) > 0.02 ? up(handle, 0.2) : up(handle, -0.5), 25, -1};
}

Move handle_press_side(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  return {apart(h, o) > 0.02 ? up(o, 0.2) : up(o, -0.5), 25, 1};
}

Move handle_pull(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const Vec3 handle = o + Vec3(0, -0.04, 0);
  if (apart(h, handle) > 0.02) return {handle, 25, 1};
  // The reference broadcasts the height over all three coordinates; so do we, to act alike.
  if (rise(h, handle) > 0.02) return {Vec3::Constant(handle.z()), 25, 1};
  return {up(handle, 0.1), 25, 1};
}

Move handle_pull_side(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const double grip = away(h, o, 0.04, 0.04) ? 0 : 0.6;
  if (apart(h, o) > 0.04) return {up(o, 0.1), 25, grip};
  if (rise(h, o) > 0.03) return {o, 25, grip};
  return {up(o, 1), 25, grip};
}

Move lever_pull(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const Vec3 lever = o + Vec3(0, -0.055, 0);
  if (apart(h, lever) > 0.02) return {up(lever, -0.1), 25, 1};
  if (rise(h, lever) > 0.02) return {lever, 25, 1};
  return {lever + Vec3(0, 0.08, 0.02), 25, 1};
}

}  // namespace fleet::metaworld::experts
