// Experts that take hold of a tool or a part: nuts, pegs, hammers, sticks, mugs.
#include "metaworld/expert_stages.hpp"

namespace fleet::metaworld::experts {

Move assembly(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const Vec3 wrench = o + Vec3(-0.02, 0, 0);
  const Vec3 peg = g + Vec3(0.12, 0, 0.14);
  const double grip = away(h, wrench, 0.02, 0.12) ? 0 : 0.6;
  if (apart(h, wrench) > 0.02) return {up(wrench, 0.1), 10, grip};
  if (apart(h, peg) <= 0.02) return {up(peg, -0.2), 10, grip};
  if (rise(h, wrench) > 0.05) return {up(wrench, 0.03), 10, grip};
  if (rise(h, peg) > 0.04) return {{h.x(), h.y(), peg.z()}, 10, grip};
  return {peg, 10, grip};
}

Move disassemble(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const Vec3 wrench = o + Vec3(-0.02, 0, 0.01);
  const double grip = away(h, wrench, 0.02, 0.07) ? 0 : 0.8;
  if (apart(h, wrench) > 0.02) return {up(wrench, 0.1), 10, grip};
  if (rise(h, wrench) > 0.03) return {wrench, 10, grip};
  return {up(h, 0.1), 10, grip};
}

Move peg_insert_side(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const Vec3 hole(-0.35, g.y(), 0.16);
  const double grip = away(h, o, 0.04, 0.15) ? -1 : 0.6;
  if (apart(h, o) > 0.04) return {up(o, 0.3), 25, grip};
  if (rise(h, o) > 0.025) return {o, 25, grip};
  if ((o - hole).tail<2>().norm() > 0.03) return {hole + Vec3(0.4, 0, 0), 25, grip};
  return {hole, 25, grip};
}

Move peg_unplug_side(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const Vec3 plug = o + Vec3(-0.02, 0, 0.035);
  const double grip = away(h, plug, 0.04, 0.15) ? -1 : 0.1;
  if (apart(h, plug) > 0.04) return {up(plug, 0.2), 25, grip};
  if (std::abs(h.z() - 0.15) > 0.02) return {{plug.x(), plug.y(), 0.15}, 25, grip};
  return {h + Vec3(0.01, 0, 0), 25, grip};
}

Move hand_insert(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const double grip = away(h, o, 0.02, 0.1) ? 0 : 0.65;
  if (apart(h, o) > 0.02) return {up(o, 0.1), 10, grip};
  if (rise(h, o) > 0.05) return {up(o, 0.03), 10, grip};
  if (apart(h, g) > 0.04) return {{g.x(), g.y(), h.z()}, 10, grip};
  return {g, 10, grip};
}

Move hammer(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const Vec3 handle = o + Vec3(-0.04, 0, -0.01);
  const Vec3 nail(0.05, 0.71, 0.16);
  const double grip = away(h, handle, 0.04, 0.1) ? 0 : 0.8;
  if (apart(h, handle) > 0.04) return {up(handle, 0.1), 10, grip};
  if (rise(h, handle) > 0.05 && handle.z() < 0.03) return {up(handle, 0.03), 10, grip};
  if (std::hypot(h.x() - nail.x(), h.z() - nail.z()) > 0.02) return {{nail.x(), h.y(), nail.z()}, 10, grip};
  return {nail, 10, grip};
}

namespace {

/// Takes the stick, brings it in line with the thermos, goes in, then to the end.
Vec3 use_stick(const Vec3& h, const Vec3& stick, const Vec3& thermos, const Vec3& end) {
  if (std::abs(stick.x() - thermos.x()) <= 0.04) return end;
  if (apart(h, stick) > 0.02) return up(stick, 0.1);
  if (rise(h, stick) > 0.02) return stick;
  if (std::abs(stick.y() - thermos.y()) > 0.02) return {stick.x(), thermos.y(), stick.z()};
  if (rise(stick, thermos) > 0.02) return {stick.x(), thermos.y(), thermos.z()};
  return thermos;
}

}  // namespace

Move stick_push(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const Vec3 stick = o + Vec3(0.015, 0, 0.03);
  return {use_stick(h, stick, o2, up(g, 0.132)), 10, away(h, stick, 0.02, 0.1) ? -1.0 : 0.7};
}

Move stick_pull(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const Vec3 stick = o + Vec3(-0.015, 0, 0.03);
  const Vec3 handle = o2 + Vec3(-0.015, 0, 0.03);
  return {use_stick(h, stick, handle, g + Vec3(-0.05, 0, 0)), 25, away(h, stick, 0.02, 0.1) ? -1.0 : 0.7};
}

Move coffee_pull(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const Vec3 mug = o + Vec3(-0.005, 0, 0.05);
  const double grip = away(h, o + Vec3(0.01, 0, 0.05), 0.06, 0.1) ? -1 : 0.7;
  if (apart(h, mug) > 0.06) return {up(mug, 0.15), 10, grip};
  if (rise(h, mug) > 0.02) return {mug, 10, grip};
  return {g, 10, grip};
}

Move coffee_push(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const Vec3 mug = o + Vec3(0.01, 0, 0.05);
  const double grip = away(h, mug, 0.06, 0.1) ? -1 : 0.5;
  if (apart(h, mug) > 0.06) return {up(mug, 0.2), 10, grip};
  if (rise(h, mug) > 0.02) return {mug, 10, grip};
  return {{g.x(), g.y(), 0.1}, 10, grip};
}

}  // namespace fleet::metaworld::experts
