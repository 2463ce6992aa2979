// tsyringe refuses to load before the metadata polyfill: this is the only module that imports either, in this order.
import 'reflect-metadata'

export { container, instanceCachingFactory, type DependencyContainer, type InjectionToken } from 'tsyringe'
