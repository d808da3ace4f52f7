# A scene of spheres over a plane, with shadows and reflections; vectors have operators.
from math import floor, inf, sqrt


class Vec:
    __slots__ = ("x", "y", "z")

    def __init__(self, x, y, z):
        self.x = x
        self.y = y
        self.z = z

    def __add__(self, o):
        return Vec(self.x + o.x, self.y + o.y, self.z + o.z)

    def __sub__(self, o):
        return Vec(self.x - o.x, self.y - o.y, self.z - o.z)

    def __mul__(self, k):
        return Vec(self.x * k, self.y * k, self.z * k)

    def dot(self, o):
        return self.x * o.x + self.y * o.y + self.z * o.z

    def unit(self):
        return self * (1 / sqrt(self.dot(self)))

    def reflect(self, normal):
        return self - normal * (2 * self.dot(normal))


class Sphere:
    def __init__(self, center, radius, color, mirror):
        self.center = center
        self.radius = radius
        self.color = color
        self.mirror = mirror

    def hit(self, origin, direction):
        to = self.center - origin
        along = to.dot(direction)
        inside = self.radius * self.radius - to.dot(to) + along * along
        if inside < 0:
            return None
        distance = along - sqrt(inside)
        return distance if distance > 0.0001 else None

    def normal(self, point):
        return (point - self.center) * (1 / self.radius)

    def color_at(self, point):
        return self.color


class Floor:
    def __init__(self):
        self.mirror = 0.2
        self.light = Vec(0.9, 0.9, 0.9)
        self.dark = Vec(0.2, 0.2, 0.3)
        self.up = Vec(0.0, 1.0, 0.0)

    def hit(self, origin, direction):
        if direction.y > -0.0001:
            return None
        return -(origin.y + 1.0) / direction.y

    def normal(self, point):
        return self.up

    def color_at(self, point):
        even = (floor(point.x) + floor(point.z)) % 2 == 0
        return self.light if even else self.dark


class Scene:
    def __init__(self):
        self.things = []
        self.sun = Vec(-0.5, 0.8, -0.6).unit()
        self.sky = Vec(0.4, 0.6, 0.9)

    def nearest(self, origin, direction):
        found = None
        distance = inf
        for thing in self.things:
            d = thing.hit(origin, direction)
            if d is not None and d < distance:
                found = thing
                distance = d
        return found, distance

    def trace(self, origin, direction, depth):
        thing, distance = self.nearest(origin, direction)
        if thing is None:
            return self.sky
        point = origin + direction * distance
        normal = thing.normal(point)
        shade = normal.dot(self.sun)
        if shade < 0:
            shade = 0.0
        if shade > 0:
            blocker, _ = self.nearest(point + normal * 0.001, self.sun)
            if blocker is not None:
                shade = 0.0
        color = thing.color_at(point) * (0.2 + 0.8 * shade)
        if depth == 0 or thing.mirror == 0:
            return color
        seen = self.trace(point + normal * 0.001, direction.reflect(normal), depth - 1)
        return color * (1 - thing.mirror) + seen * thing.mirror


def render(scene, size):
    eye = Vec(0.0, 0.5, -4.0)
    total = 0
    for row in range(size):
        for column in range(size):
            direction = Vec(column / size - 0.5, 0.5 - row / size, 1.0).unit()
            color = scene.trace(eye, direction, 3)
            total += floor(color.x * 255) + floor(color.y * 255) * 3 + floor(color.z * 255) * 7
    return total


scene = Scene()
scene.things.append(Floor())
scene.things.append(Sphere(Vec(0.0, 0.0, 0.0), 1.0, Vec(0.9, 0.2, 0.2), 0.3))
scene.things.append(Sphere(Vec(1.5, -0.4, -0.8), 0.6, Vec(0.2, 0.9, 0.3), 0.5))
scene.things.append(Sphere(Vec(-1.6, -0.3, 0.5), 0.7, Vec(0.2, 0.3, 0.9), 0.0))
scene.things.append(Sphere(Vec(-0.4, -0.7, -1.4), 0.3, Vec(0.9, 0.9, 0.2), 0.1))
print(f"raytracer {render(scene, 240)}")
